"""The ways to a host: over SSH, or this machine; as the user who logs in, or as another by sudo."""
