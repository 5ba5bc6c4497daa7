"""What is done on hosts but running a command: backups, migrations, rolling updates, upgrades, transfers, reboots."""
