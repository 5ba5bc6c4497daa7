"""Modules that deployments may still name as `remotejobs.prefect.flows.NAME`; gone with the next release."""
