"""Keys, certificates, agents and passwords, and the order in which they are tried (`attempts`)."""
