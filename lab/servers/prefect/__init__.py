"""Prefect servers, small and for a large fleet, and what the lab asks of them."""
