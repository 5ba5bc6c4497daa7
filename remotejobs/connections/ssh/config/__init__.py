"""ssh_config, and what stands on ssh's command line: read here in its plain form, or by OpenSSH itself (`lookup`)."""
