"""The pictures of the README and the docs, taken from Prefect's own UI."""
