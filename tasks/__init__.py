"""Prefect tasks: thin, one noun a file. What a flow passes or returns is defined here or in the core."""
