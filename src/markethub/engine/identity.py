"""Names of workers, and whether the process behind one has ended."""

import os
import re
import secrets
import socket

_WORKER_ID = re.compile(r"(?P<host>.+)-(?P<pid>[1-9]\d{0,9})-[0-9a-f]{4}")


def new_worker_id() -> str:
    """Host, process and four random digits, so that a restarted process is another worker."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def is_surely_dead(worker_id: str) -> bool:
    """Whether the id is of this host and no process has its number any more.

    False where that cannot be known: another host, an id that was configured, a number in use again. Then
    the lease tells, later. A container that shares its host name but not its processes could be taken for
    dead: its work would be done twice, and counted once.
    """
    match = _WORKER_ID.fullmatch(worker_id)
    if os.name != "posix" or match is None or match["host"] != socket.gethostname():
        return False
    try:
        os.kill(int(match["pid"]), 0)  # signal 0 only asks
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
