"""What both transports are set up with."""

import ipaddress
import ssl
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import httpx2

from markethub.client.calls import Call
from markethub.client.discovery import Endpoint
from markethub.domain.errors import UnavailableError

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
        "verify": _trust(endpoint),
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": not _is_loopback(endpoint.url),
    }


def request_options(endpoint: Endpoint, call: Call[Any]) -> Mapping[str, Any]:
    """Return the keyword arguments of one request."""
    options: dict[str, Any] = {
        "method": call.method,
        "url": endpoint.url + call.path,
        "params": dict(call.query),
        "json": call.body,
        "headers": call.headers,
    }
    if call.silence_s is not None:
        options["timeout"] = httpx2.Timeout(call.silence_s, connect=_CONNECT_TIMEOUT_S)
    return options


def pin_certificate(certificate: str) -> ssl.SSLContext:
    """Trust the server that shows exactly this certificate (PEM), whatever name stands in it.

    UnavailableError if it is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Who knows the very certificate needs no name in it: a hub is called 127.0.0.1 here, and its own name
    # elsewhere.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=certificate)
    except ssl.SSLError as error:
        raise UnavailableError("server.json holds no certificate: start the server again") from error
    return context


def _trust(endpoint: Endpoint) -> ssl.SSLContext | bool:
    if endpoint.certificate is not None:
        return pin_certificate(endpoint.certificate)
    # Plain HTTP has no certificates, and loading the authorities would cost a tenth of a second.
    return not endpoint.url.startswith("http://")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
