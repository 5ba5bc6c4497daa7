"""Long jobs on remote hosts: start detached, ask later, believe the answer."""
