"""Where the hub is and with which token to talk to it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from platformdirs import user_data_path

from markethub.domain.errors import InputError, UnavailableError

_REGISTRY_FILE = "server.json"
_TOKEN_FILE = "admin.token"  # noqa: S105  (a file's name)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A hub's address without a trailing slash, and the token for it (None: send none)."""

    url: str
    token: str | None = field(repr=False)


def find_endpoint(url: str | None = None, token: str | None = None) -> Endpoint:
    """Settle address and token: what is given, else the environment's, else those of this machine's hub.

    The environment has ``MARKETHUB_URL`` and ``MARKETHUB_TOKEN``. A running server leaves its address in
    ``server.json`` of the data folder (``MARKETHUB_DATA_DIR``, or the user's own) and its first token in
    ``admin.token``. That token is for that server only, never for an address that was given and differs.
    UnavailableError when no hub is to be found.
    """
    token = token or os.environ.get("MARKETHUB_TOKEN")
    folder = _data_folder()
    local_url = _read_local_url(folder)
    url = url or os.environ.get("MARKETHUB_URL") or local_url
    if url is None:
        raise UnavailableError(
            f"no MarketHub server found: none is registered in {folder}; start one with `markethub serve`, "
            "or set MARKETHUB_URL (and MARKETHUB_TOKEN)"
        )
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError(f"url {url[:80]!r} does not start with http:// or https://")
    if token is None and url == local_url:
        token = _read_local_token(folder)
    return Endpoint(url, token)


def _data_folder() -> Path:
    named = os.environ.get("MARKETHUB_DATA_DIR")
    return Path(named) if named else user_data_path("markethub")


def _read_local_url(folder: Path) -> str | None:
    registry = folder / _REGISTRY_FILE
    try:
        content = registry.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"cannot read {registry}: {error.strerror}") from error
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnavailableError(f"{registry} is not JSON: remove it, and start the server again") from error
    match found:
        case {"url": str(url)}:
            return url.rstrip("/")
    raise UnavailableError(f"{registry} names no url: remove it, and start the server again")


def _read_local_token(folder: Path) -> str | None:
    path = folder / _TOKEN_FILE
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"cannot read the token in {path}: {error}") from error
