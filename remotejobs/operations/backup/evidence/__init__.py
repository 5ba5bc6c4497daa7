"""What can be shown of backups afterwards, from their records alone."""
