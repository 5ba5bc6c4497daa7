"""What answers HTTP: a site behind HAProxy, files to download, and a receiver of notifications."""
