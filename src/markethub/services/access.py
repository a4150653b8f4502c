"""Who may do what."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markethub.control import tokens
from markethub.control.database import Database
from markethub.control.tokens import Token
from markethub.control.values import parse_id
from markethub.domain.errors import ForbiddenError, InputError, NotFoundError, UnauthorizedError
from markethub.domain.times import format_time
from markethub.services.hub import Hub

SCOPES = (
    "read:data",
    "read:jobs",
    "read:logs",
    "write:backfill",
    "read:dms",
    "write:dms",
    "admin",
)
_NAME = re.compile(r"[\w .@:/\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request. The scope ``admin`` includes every other."""

    token_id: int
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """ForbiddenError that names the scope, unless it is held."""
        if scope not in self.scopes and "admin" not in self.scopes:
            held = ", ".join(sorted(self.scopes)) or "none"
            raise ForbiddenError(f"this needs the scope {scope}; the token has {held}")


async def create_token(
    database: Database, now_ms: int, *, name: str, scopes: Iterable[str], expires_ms: int | None = None
) -> tuple[str, Token]:
    """Make a token; the first of the pair is its only readable copy."""
    wanted = list(dict.fromkeys(scopes))
    if not wanted:
        raise InputError(f"scopes must name at least one of {', '.join(SCOPES)}")
    for scope in wanted:
        if scope not in SCOPES:
            raise InputError(f"scope {scope[:40]!r} is not one of {', '.join(SCOPES)}")
    if _NAME.fullmatch(name) is None:
        raise InputError(f"name {name[:64]!r} must be 1 to 64 letters, digits, spaces or ._-@:/")
    if expires_ms is not None and expires_ms <= now_ms:
        raise InputError(f"expiry {format_time(expires_ms)} has passed already")
    async with database.begin(durable=True) as connection:
        stored, text = await tokens.create_token(
            connection, name=name, scopes=wanted, now_ms=now_ms, expires_ms=expires_ms
        )
    return text, stored


async def list_tokens(database: Database) -> list[Token]:
    """Every token, oldest first, revoked and expired ones included."""
    async with database.read() as connection:
        return await tokens.list_tokens(connection)


async def revoke_token(database: Database, token_id: str, now_ms: int) -> None:
    """Refuse the token from now on; revoking twice is no error. NotFoundError if there is none."""
    number = parse_id(token_id)
    if number is None:
        raise NotFoundError(f"Token not found: {token_id[:40]}")
    async with database.begin(durable=True) as connection:
        await tokens.revoke_token(connection, number, now_ms)


async def authenticate(hub: Hub, authorization: str | None) -> Principal:
    """The principal of an ``Authorization`` header; UnauthorizedError says what is wrong with it."""
    if not authorization:
        raise UnauthorizedError("no token; send the header Authorization: Bearer mh_<id>_<secret>")
    scheme, _, text = authorization.strip().partition(" ")
    parsed = tokens.parse_token(text.strip()) if scheme.lower() == "bearer" else None
    if parsed is None:
        raise UnauthorizedError("the Authorization header is not Bearer mh_<id>_<secret>")
    token_id, secret = parsed
    now_ms = hub.clock()
    async with hub.database.read() as connection:
        found = await tokens.find_token(connection, token_id)
    if found is None or not found.accepts(secret, now_ms):
        # One message for all: whoever lacks the secret shall not learn which tokens exist or have ended.
        raise UnauthorizedError("the token is unknown, expired or revoked")
    if tokens.use_is_due(found, now_ms):
        async with hub.database.begin() as connection:
            await tokens.note_use(connection, found.id, now_ms)
    return Principal(found.id, frozenset(found.scopes))
