"""Workarounds for Prefect, for tasks, flows and deployments. The core and the command line do not import them."""
