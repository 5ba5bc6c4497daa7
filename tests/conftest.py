"""For all tests: what must be so before anything else is imported or started."""

import signal

# Ansible, which inventories are held against, looks at Python's import hooks once and wants to find exactly one for
# files; Prefect adds another. So Ansible looks first.
import ansible.utils.collection_loader._collection_finder  # type: ignore[import-untyped] # noqa: F401

# In the background of a shell SIGINT is ignored, and so it would be in every program that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
