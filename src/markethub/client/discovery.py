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
    """A hub's address without a trailing slash, and the token for it (None: send none).

    ``certificate`` (PEM) is the one that a server of this machine says it shows; None where certificates
    are to be judged by their authorities.
    """

    url: str
    token: str | None = field(repr=False)
    certificate: str | None = field(default=None, repr=False)


def find_endpoint(url: str | None = None, token: str | None = None) -> Endpoint:
    """Settle address and token: what is given, else the environment's, else those of this machine's hub.

    The environment has ``MARKETHUB_URL`` and ``MARKETHUB_TOKEN``. A running server leaves its address in
    ``server.json`` of the data folder (``MARKETHUB_DATA_DIR``, or the user's own) and its first token in
    ``admin.token``. That token is for that server only, never for an address that was given and differs. One
    that serves HTTPS leaves its certificate there too.
    UnavailableError when no hub is to be found.
    """
    token = token or os.environ.get("MARKETHUB_TOKEN")
    folder = _data_folder()
    local_url, certificate = _read_registry(folder)
    url = url or os.environ.get("MARKETHUB_URL") or local_url
    if url is None:
        raise UnavailableError(
            f"no MarketHub server found: none is registered in {folder}; start one with `markethub serve`, "
            "or set MARKETHUB_URL (and MARKETHUB_TOKEN)"
        )
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError(f"url {url[:80]!r} does not start with http:// or https://")
    if url != local_url:
        return Endpoint(url, token)
    return Endpoint(url, token or _read_local_token(folder), certificate)


def _data_folder() -> Path:
    named = os.environ.get("MARKETHUB_DATA_DIR")
    return Path(named) if named else user_data_path("markethub")


def _read_registry(folder: Path) -> tuple[str | None, str | None]:
    registry = folder / _REGISTRY_FILE
    try:
        content = registry.read_bytes()
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise UnavailableError(f"cannot read {registry}: {error.strerror}") from error
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnavailableError(f"{registry} is not JSON: remove it, and start the server again") from error
    match found:
        case {"url": str(url), "certificate": str(certificate)}:
            return url.rstrip("/"), certificate
        case {"url": str(url)}:
            return url.rstrip("/"), None
    raise UnavailableError(f"{registry} names no url: remove it, and start the server again")


def _read_local_token(folder: Path) -> str | None:
    path = folder / _TOKEN_FILE
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"cannot read the token in {path}: {error}") from error
