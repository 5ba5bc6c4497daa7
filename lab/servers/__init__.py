"""Real servers on loopback, and virtual machines, for demos, tests and measurements."""
