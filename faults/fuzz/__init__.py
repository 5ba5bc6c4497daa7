"""Random words for all that reads what others wrote."""
