"""Backups in flows: what each item made, where its copies are, and getting it back."""

from remotejobs.prefect.tasks.backups.items import Backup, backup_of, jid_of, name_of_run, result_and_row, steps_of

__all__ = ["Backup", "backup_of", "jid_of", "name_of_run", "result_and_row", "steps_of"]
