"""Large files: pushed to hosts, pulled from them, or downloaded by the hosts themselves."""

from remotejobs.transfer.download import download_job
from remotejobs.transfer.files import Files, files_of
from remotejobs.transfer.here import sum_of
from remotejobs.transfer.pull import pull
from remotejobs.transfer.push import push
from remotejobs.transfer.steps import Ends, Moved, TransferFailed, Transferred
from remotejobs.transfer.throttle import Throttle

__all__ = [
    "Ends",
    "Files",
    "Moved",
    "Throttle",
    "TransferFailed",
    "Transferred",
    "download_job",
    "files_of",
    "pull",
    "push",
    "sum_of",
]
