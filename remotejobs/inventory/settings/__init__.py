"""ansible.cfg: where it is found, and what of it concerns the way to a host."""

from remotejobs.inventory.settings.ansible_cfg import AnsibleConfig, read_config
from remotejobs.inventory.settings.find import find_config

__all__ = ["AnsibleConfig", "find_config", "read_config"]
