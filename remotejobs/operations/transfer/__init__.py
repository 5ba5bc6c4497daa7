"""Large files: pushed to hosts, pulled from them, or downloaded by the hosts themselves."""

from remotejobs.operations.transfer.download import download_job
from remotejobs.operations.transfer.files import Files, files_of
from remotejobs.operations.transfer.here import sum_of
from remotejobs.operations.transfer.pull import pull
from remotejobs.operations.transfer.push import push
from remotejobs.operations.transfer.steps import Ends, Moved, TransferFailed, Transferred
from remotejobs.operations.transfer.throttle import Throttle

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
