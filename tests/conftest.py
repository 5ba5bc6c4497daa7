"""For all tests: what must be imported before anything else."""

# Ansible, which inventories are held against, looks at Python's import hooks once and wants to find exactly one for
# files; Prefect adds another. So Ansible looks first.
import ansible.utils.collection_loader._collection_finder  # type: ignore[import-untyped] # noqa: F401
