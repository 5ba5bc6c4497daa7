"""Faults on purpose: kills, cuts, full disks and hostile words, and a table of what became of the jobs."""
