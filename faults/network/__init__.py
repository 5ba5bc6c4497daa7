"""Faults between the controller and its hosts."""
