"""Everything that a Prefect server needs for these flows, as code: `python -m deployments` shows and applies it."""
