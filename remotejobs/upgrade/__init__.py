"""Package upgrades that wait for locks, are never broken off inside dpkg, and say what they changed."""

from remotejobs.upgrade.plan import Upgrade
from remotejobs.upgrade.report import Change, HostUpgrade, Outcome, changes_of
from remotejobs.upgrade.script import INSTALL, PREPARE, install_job, prepare_job, why_reboot

__all__ = [
    "INSTALL",
    "PREPARE",
    "Change",
    "HostUpgrade",
    "Outcome",
    "Upgrade",
    "changes_of",
    "install_job",
    "prepare_job",
    "why_reboot",
]
