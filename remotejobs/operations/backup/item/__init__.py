"""The job of one item: its shell text, and the report at its end."""
