"""Prefect's blocks: the inventory and the login that an `Access` names, and a job that a flow triggers."""
