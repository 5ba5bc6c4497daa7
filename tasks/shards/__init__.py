"""A run on many hosts, split among several workers."""
