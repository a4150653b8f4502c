"""Where a node's processes leave word for others on the machine: private files in the data folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import orjson

from markethub.domain.errors import InputError, NotFoundError

REGISTRY_FILE = "server.json"


@contextlib.contextmanager
def registered(data_dir: Path, url: str, certificate: str | None = None) -> Iterator[None]:
    """Tell local clients for the length of the block that this process serves the folder at ``url``.

    ``certificate`` (PEM) is the one that it shows, where it serves HTTPS. The file is locked meanwhile: a
    process that was killed leaves it behind, but not its lock.
    """
    registry = data_dir / REGISTRY_FILE
    told: dict[str, object] = {"url": url, "pid": os.getpid()}
    if certificate is not None:
        told["certificate"] = certificate
    descriptor = _replace(registry, orjson.dumps(told))
    try:
        yield
    finally:
        registry.unlink(missing_ok=True)
        os.close(descriptor)


def find_process(data_dir: Path) -> int:
    """The number of the process that serves the folder now; NotFoundError if none does.

    It is its own word, and it holds the lock: a number in use again by some other process is never told.
    """
    registry = data_dir / REGISTRY_FILE
    try:
        with registry.open("rb") as file:
            if not _is_locked(file.fileno()):
                raise NotFoundError(f"no hub runs on {data_dir}: the one of {registry} has ended")
            match orjson.loads(file.read()):
                case {"pid": int(pid)} if pid > 0:
                    return pid
    except OSError as error:
        raise NotFoundError(f"no hub runs on {data_dir}: {registry}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"{registry} is not what a hub writes: {error}") from error
    raise InputError(f"{registry} is not what a hub writes: it has no process number")


def write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step; nobody but its owner can ever read it."""
    os.close(_replace(path, content))


def _replace(path: Path, content: bytes) -> int:
    """Replace the file; the descriptor is open and holds its lock."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        draft.replace(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
