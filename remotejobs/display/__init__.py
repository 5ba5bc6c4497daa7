"""What people and programs see of jobs: lines, tables, a live view, JSON. Nothing here asks a host."""
