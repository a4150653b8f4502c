"""Files with secrets: read only where nobody but their owner can."""

import os
import stat
from pathlib import Path

from markethub.domain.errors import InputError

_LARGEST_FILE_BYTES = 65_536


def read_private_file(name: str, path: Path) -> bytes:
    """The content of a small file of this user's that nobody else can read.

    InputError where it is anything else; it begins with ``name`` and the path, and never quotes the content.
    """
    try:
        # Without waiting: opening a pipe would hang until someone writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{name} {path} cannot be opened: {error.strerror}") from error
    try:
        _check_private(f"{name} {path}", path, os.fstat(descriptor))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            content = file.read(_LARGEST_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST_FILE_BYTES:
        raise InputError(f"{name} {path} is larger than {_LARGEST_FILE_BYTES} bytes")
    return content


def _check_private(named: str, path: Path, state: os.stat_result) -> None:
    # Of the open file, not of the path: nobody can put another one there in between.
    if not stat.S_ISREG(state.st_mode):
        raise InputError(f"{named} is not a regular file")
    if state.st_uid != os.geteuid():
        raise InputError(f"{named} belongs to user {state.st_uid}; run: chown {os.geteuid()} {path}")
    mode = stat.S_IMODE(state.st_mode)
    if mode not in (0o600, 0o400):
        raise InputError(f"{named} has mode {mode:04o}, and must be its owner's only; run: chmod 600 {path}")
