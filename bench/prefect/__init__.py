"""What Prefect costs: flow runs, a server under load, shards, and a night of backups."""
