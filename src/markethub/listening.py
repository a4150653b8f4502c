"""Where a node listens, and whether it may."""

import ipaddress
import socket

from markethub.config import Settings
from markethub.control.database import database_file, open_database
from markethub.domain.errors import InputError, UnavailableError
from markethub.services.access import has_chosen_token


def bind_listener(host: str, port: int) -> socket.socket:
    """A socket bound to the first address that ``host`` means; nobody can connect yet.

    UnavailableError when there is no such address, or it is taken.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # With the protocol spelled out asyncio sees TCP and sets TCP_NODELAY: 40 ms less an answer.
        listener = socket.socket(info[0], info[1], info[2])
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(info[4])
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:  # the latter for what cannot be a name
        reason = error.strerror if isinstance(error, OSError) else "not a host's name"
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {reason}; set another with --port or server.port"
        ) from error
    return listener


def is_open_to_others(listener: socket.socket) -> bool:
    """Whether other machines can connect; it goes by the address, since a name can mean any."""
    address = ipaddress.ip_address(listener.getsockname()[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_loopback


async def check_opened_on_purpose(settings: Settings) -> None:
    """InputError unless someone has made a token that can be used now, so that the hub may be open to others.

    The token of the first start does not count: nobody has chosen what it may do, nor for how long.
    """
    file = database_file(settings.control_url)
    if file is None or file.is_file():  # else there is no token, and opening would make a file
        database = await open_database(settings.control_url)
        try:
            if await has_chosen_token(database, database.clock()):
                return
        finally:
            await database.close()
    raise InputError(
        f"server.host {settings.server.host!r} can be reached from other machines, and there is no token "
        "that someone has made (or all are revoked or expired); first run `markethub token create --name "
        "NAME --scope SCOPE` with the same --config and --data-dir, or listen on 127.0.0.1"
    )


def url_of(listener: socket.socket, *, is_tls: bool = False) -> str:
    """The address to call from this machine."""
    host, port = listener.getsockname()[:2]
    # An address that means "all interfaces" is no address to call.
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"
