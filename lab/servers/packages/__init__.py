"""Repositories of tiny packages, and roots that have them installed."""
