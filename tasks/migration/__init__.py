"""A migration as one flow run carries it out."""
