"""Errors about the way to a host, without what its inventory keeps in a vault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remotejobs.errors import RemoteJobsError
from remotejobs.inventory.variables import HostLike, masked


@contextmanager
def discreet(host: HostLike) -> Iterator[None]:
    """Hide in an error what an encrypted file or value says of `host`: its address, its user, options of ssh.

    The error loses its cause then, whose words are those of a library and may hold the same.
    """
    try:
        yield
    except RemoteJobsError as error:
        message, remedy = masked(host, error.message), masked(host, error.remedy)
        if (message, remedy) == (error.message, error.remedy):
            raise
        error.say(message, remedy)
        raise error from None
