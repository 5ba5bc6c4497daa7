"""A virtual machine with systemd that can lose its power, and its image."""
