"""What ansible-vault encrypted, opened when it is needed and not before, and kept out of everything that is shown."""
