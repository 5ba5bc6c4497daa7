"""Package upgrades that wait for locks, are never broken off inside dpkg, and say what they changed."""

from remotejobs.operations.upgrade.plan import Upgrade
from remotejobs.operations.upgrade.report import HostUpgrade, PackageChange, UpgradeOutcome, changes_of
from remotejobs.operations.upgrade.script import INSTALL, PREPARE, RebootNeed, install_job, prepare_job, reboot_need

__all__ = [
    "INSTALL",
    "PREPARE",
    "HostUpgrade",
    "PackageChange",
    "RebootNeed",
    "Upgrade",
    "UpgradeOutcome",
    "changes_of",
    "install_job",
    "prepare_job",
    "reboot_need",
]
