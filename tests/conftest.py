"""For all tests: what must be so before anything else is imported or started."""

import os
import signal

# Ansible, which inventories are held against, checks Python's import hooks once and wants to find exactly one for
# files; Prefect adds another. So Ansible goes first.
import ansible.utils.collection_loader._collection_finder  # type: ignore[import-untyped] # noqa: F401

from lab import guard

# Whatever a run of the tests started is ended with it, also when it is killed. Prefect, which reads PREFECT_HOME when
# it is imported, keeps nothing where another checkout or the user has it.
os.environ["PREFECT_HOME"] = str(guard.start() / f"prefect-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")

pytest_plugins = ["tests.scheduling", "tests.report", "tests.shared"]

# In the background of a shell these are ignored, and so they would be in every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
