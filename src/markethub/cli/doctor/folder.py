"""The data folder."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from markethub.cli.doctor.finding import Finding, fail, ok, warn

FIRST_START = "`markethub serve` makes it at its first start"

_TOKEN_FILE = "admin.token"  # noqa: S105  (a file's name)
_LEAST_FREE_BYTES = 500_000_000
_GOOD_FREE_BYTES = 5_000_000_000


def check_folder(data_dir: Path) -> Iterator[Finding]:
    """That it can be written, has room, and keeps its secret."""
    if not data_dir.exists():
        yield _check_missing(data_dir)
        return
    if not data_dir.is_dir():
        yield fail("data folder", f"{data_dir} is not a folder", "name another one with --data-dir")
        return
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        advice = f"run as its owner, or: chown {os.getuid()} {data_dir}"
        yield fail("data folder", f"{data_dir} cannot be written by this account", advice)
        return
    yield ok("data folder", str(data_dir))
    yield _check_space(data_dir)
    yield _check_token(data_dir / _TOKEN_FILE)


def _check_missing(data_dir: Path) -> Finding:
    above = next(folder for folder in data_dir.absolute().parents if folder.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        advice = "make the folder with the right owner, or name another one with --data-dir"
        return fail("data folder", f"{data_dir} is missing, and {above} cannot be written", advice)
    return warn("data folder", f"{data_dir} is not there yet", FIRST_START)


def _check_space(data_dir: Path) -> Finding:
    free_bytes = shutil.disk_usage(data_dir).free
    detail = f"{free_bytes / 1e9:.1f} GB free"
    if free_bytes < _LEAST_FREE_BYTES:
        return fail("disk space", detail, "make room: a full disk stops every write")
    if free_bytes < _GOOD_FREE_BYTES:
        return warn("disk space", detail, "one year of 1m bars of 100 symbols takes about 1 GB")
    return ok("disk space", detail)


def _check_token(token: Path) -> Finding:
    try:
        found = token.stat()
    except FileNotFoundError:
        advice = "set MARKETHUB_TOKEN for commands, or make one with `markethub token create`"
        return warn("admin token", f"no {token}", advice)
    loose = stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    if loose:
        return fail("admin token", f"{token} can be read by other accounts", f"run: chmod 600 {token}")
    if found.st_uid != os.getuid():
        return warn("admin token", f"{token} belongs to another account", "run commands as that account")
    return ok("admin token", f"{token}, for its owner only")
