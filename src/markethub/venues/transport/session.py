"""HTTP as venues need it: bounded in time, size and connections, and with one kind of failure."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from markethub.domain.errors import InputError, VenueProtocolError, VenueUnavailableError
from markethub.venues.transport.request import Request

_USER_AGENT = f"markethub/{version('markethub')}"
_KEEPALIVE_S = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for connecting, for one silence of the server, and for a whole request."""

    connect_s: float
    silence_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, whatever its status; header names compare without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def check_base_url(url: str, field: str) -> str:
    """Return ``url`` without a trailing slash if it is plain http(s)://host[:port][/path]; else InputError.

    User names, passwords and queries are refused: they would end in error messages.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    extras = (parts.username, parts.password, parts.query, parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or any(extras):
        raise InputError(f"{field} is not a URL such as https://host or http://host:8080/path")
    return url.rstrip("/")


class VenueSession:
    """Keep-alive connections to one host of a venue; opened by the first request, owned by one event loop.

    The number of connections is not limited here: the gate before it limits the requests in flight.
    """

    def __init__(self, venue: str, base_url: str, timeouts: Timeouts, *, compressed: bool = True) -> None:
        self._venue = venue
        self._base_url = base_url
        self._timeouts = timeouts
        self._encoding = "gzip, deflate" if compressed else "identity"
        self._http: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request, max_bytes: int) -> Answer:
        """Send one request and read the whole answer.

        VenueUnavailableError when no complete answer came, VenueProtocolError when it is larger than
        ``max_bytes`` after decompression. Messages name the path, never the parameters: those may be signed.
        """
        http = self._open()
        path = request.target.partition("?")[0]
        # Encoded already: what was signed must not be spelled anew.
        url = URL(self._base_url + request.target, encoded=True)
        try:
            async with http.request(
                request.method, url, headers=request.headers, allow_redirects=False
            ) as response:
                body = await self._read(response, path, max_bytes)
                return Answer(response.status, response.headers, body)
        except TimeoutError as error:
            raise VenueUnavailableError(f"{self._venue} {path}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(path, error) from error

    async def close(self) -> None:
        """Close the connections; later requests fail with VenueUnavailableError."""
        self._closed = True
        if self._http is not None:
            await self._http.close()
            # TLS connections finish their goodbye in the next turns of the loop.
            await asyncio.sleep(0)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise VenueUnavailableError(f"{self._venue}: the connection was closed on our side")
        if self._http is None:
            times = self._timeouts
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(self._send_once,),
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": self._encoding},
                timeout=aiohttp.ClientTimeout(
                    total=times.total_s, sock_connect=times.connect_s, sock_read=times.silence_s
                ),
            )
        return self._http

    async def _send_once(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            return await send(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            # aiohttp sends a GET again on these, at once: a request that the budget would not know of.
            raise self._lost(request.url.path, error) from error

    def _lost(self, path: str, error: Exception) -> VenueUnavailableError:
        # The text of a ClientResponseError holds the whole URL, signature and all.
        text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
        return VenueUnavailableError(f"{self._venue} {path}: {type(error).__name__}: {text[:200]}")

    async def _read(self, response: aiohttp.ClientResponse, path: str, max_bytes: int) -> bytes:
        chunks: list[bytes] = []
        size_bytes = 0
        async for chunk in response.content.iter_any():
            size_bytes += len(chunk)
            if size_bytes > max_bytes:
                response.close()  # do not read the rest only to keep the connection
                raise VenueProtocolError(f"{self._venue} {path}: answer larger than {max_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)
