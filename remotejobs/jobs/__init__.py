"""The jobs of a host, and of many at once: start, ask, wait, kill, list, clean."""
