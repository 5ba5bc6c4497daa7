"""Faults of the host itself: its disk, its clock, its memory, and the processes of a job."""
