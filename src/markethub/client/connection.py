"""What both transports are set up with."""

import ipaddress
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import httpx2

from markethub.client.calls import Call
from markethub.client.discovery import Endpoint

_CONNECT_TIMEOUT_S = 5.0


def connection_options(endpoint: Endpoint, timeout_s: float) -> dict[str, Any]:
    """Return the keyword arguments of an httpx2 client for one hub.

    Redirects are not followed: they would carry the token to an address nobody chose.
    """
    headers = {"User-Agent": f"markethub/{version('markethub')}"}
    if endpoint.token is not None:
        headers["Authorization"] = f"Bearer {endpoint.token}"
    return {
        "headers": headers,
        "timeout": httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
        "follow_redirects": False,
        # Plain HTTP has no certificates, and loading the authorities would cost a tenth of a second.
        "verify": not endpoint.url.startswith("http://"),
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": not _is_loopback(endpoint.url),
    }


def request_options(endpoint: Endpoint, call: Call[Any]) -> Mapping[str, Any]:
    """Return the keyword arguments of one request."""
    return {
        "method": call.method,
        "url": endpoint.url + call.path,
        "params": dict(call.query),
        "json": call.body,
        "headers": call.headers,
    }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
