"""Whether a request was made on this very machine."""

import ipaddress
from urllib.parse import urlsplit

from fastapi import Request

_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def comes_from_this_machine(request: Request) -> bool:
    """Whether peer, ``Host`` and ``Origin`` are all local and no proxy stands between.

    A proxy here connects from loopback too, on behalf of anyone. A web page can make the browser on this
    machine call us, under its own Origin, or with a name of its own that it has bound to our address.
    """
    if request.client is None or any(name in request.headers for name in _PROXY_HEADERS):
        return False
    origin = request.headers.get("origin")
    return (
        _is_loopback(request.client.host)
        and _is_local_url(f"//{request.headers.get('host', '')}")
        and (origin is None or _is_local_url(origin))
    )


def _is_local_url(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
