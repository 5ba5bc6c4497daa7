"""Flows to read and to copy: each shows one pattern, with commands that would be your own."""
