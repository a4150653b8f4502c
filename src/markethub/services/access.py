"""Who may do what."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from markethub.control import tokens
from markethub.control.audit import insert_audit
from markethub.control.database import Database
from markethub.control.tokens import Token
from markethub.control.values import parse_id
from markethub.domain.errors import ForbiddenError, InputError, NotFoundError, UnauthorizedError
from markethub.domain.times import format_time
from markethub.services.caller import name_act
from markethub.services.hub import Hub

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "read:data": "read what is stored: bars, holes, listings, tickers, books, and accounts' records",
        "read:jobs": "read jobs, executions, accounts and their keys' state, and the venues' budgets",
        "read:logs": "read what executions logged",
        "write:backfill": "queue backfills, cancel and retry executions, set subscriptions",
        "read:dms": "read how the nodes of a group follow each other, their tasks, and bars",
        "write:dms": "trigger the tasks of a group, and the syncs of its slaves",
        "admin": "everything: every other scope, and the audit",
    }
)
"""Every scope, and what a token with it may do."""

FIRST_ADMIN = "first admin"
"""The name of the token that the first start makes by itself; no other may have it."""

LOOKUP_KEPT_S = 1.0
"""How long a process goes by what it last read of a token."""

_NAME = re.compile(r"[\w .@:/\-]{1,64}")
_MOST_KNOWN = 1_000
_MOST_REQUESTS_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request. The scope ``admin`` includes every other; ``requests_per_minute`` is None where the
    settings say how many."""

    token_id: int
    name: str
    scopes: frozenset[str]
    requests_per_minute: int | None

    def require(self, scope: str) -> None:
        """ForbiddenError that names the scope, unless it is held."""
        if scope not in self.scopes and "admin" not in self.scopes:
            held = ", ".join(sorted(self.scopes)) or "none"
            raise ForbiddenError(f"this needs the scope {scope}; the token has {held}")


class KnownTokens:
    """What was read of tokens in the last second, so that a caller's next request need not read it again."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[float, Token]] = {}

    async def find(self, database: Database, token_id: int) -> Token | None:
        """As ``tokens.find_token``, by a reading that began at most LOOKUP_KEPT_S ago."""
        # From before the reading: what is revoked while it runs is forgotten in time.
        began_s = time.monotonic()
        kept = self._read.get(token_id)
        if kept is not None and began_s - kept[0] < LOOKUP_KEPT_S:
            return kept[1]
        async with database.read() as connection:
            found = await tokens.find_token(connection, token_id)
        if found is None:
            return None  # not kept: whoever guesses ids shall not fill our memory
        if len(self._read) >= _MOST_KNOWN:
            self._read.clear()
        self._read[token_id] = (began_s, found)
        return found

    def note_use(self, found: Token, now_ms: int) -> None:
        """Tell those who come before the next reading that the use is noted, so that one writes it."""
        if (kept := self._read.get(found.id)) is not None:
            self._read[found.id] = (kept[0], replace(kept[1], last_used_ms=now_ms))


async def create_token(
    database: Database,
    now_ms: int,
    *,
    name: str,
    scopes: Iterable[str],
    expires_ms: int | None = None,
    requests_per_minute: int | None = None,
) -> tuple[str, Token]:
    """Make a token; the first of the pair is its only readable copy.

    InputError names what is wrong with name, scopes or numbers; the name FIRST_ADMIN is kept for
    ``create_first_admin``.
    """
    if name.strip() == FIRST_ADMIN:
        raise InputError(f"name {name!r} is kept for the token of the first start; take another")
    return await _create_token(
        database,
        now_ms,
        name=name,
        scopes=scopes,
        expires_ms=expires_ms,
        requests_per_minute=requests_per_minute,
    )


async def create_first_admin(database: Database, now_ms: int) -> str | None:
    """Make the admin token of a fresh installation, and return its only readable copy; None if there are
    tokens already."""
    if await list_tokens(database):
        return None
    text, _ = await _create_token(database, now_ms, name=FIRST_ADMIN, scopes=["admin"])
    return text


async def _create_token(
    database: Database,
    now_ms: int,
    *,
    name: str,
    scopes: Iterable[str],
    expires_ms: int | None = None,
    requests_per_minute: int | None = None,
) -> tuple[str, Token]:
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
    if requests_per_minute is not None and not 1 <= requests_per_minute <= _MOST_REQUESTS_PER_MINUTE:
        raise InputError(
            f"requests_per_minute {requests_per_minute} is not between 1 and {_MOST_REQUESTS_PER_MINUTE}"
        )
    told = {
        "name": name,
        "scopes": wanted,
        "expires_at": None if expires_ms is None else format_time(expires_ms),
        "requests_per_minute": requests_per_minute,
    }
    async with database.begin(durable=True) as connection:
        stored, text = await tokens.create_token(
            connection,
            name=name,
            scopes=wanted,
            now_ms=now_ms,
            expires_ms=expires_ms,
            requests_per_minute=requests_per_minute,
        )
        await insert_audit(connection, name_act("token.create"), str(stored.id), told, now_ms)
    return text, stored


async def list_tokens(database: Database) -> list[Token]:
    """Every token, oldest first, revoked and expired ones included."""
    async with database.read() as connection:
        return await tokens.list_tokens(connection)


async def revoke_token(database: Database, token_id: str, now_ms: int) -> None:
    """Refuse the token for good; revoking twice is no error. NotFoundError if there is none.

    When this returns no process accepts it any more: each may go by an older reading for LOOKUP_KEPT_S, and
    that is waited for.
    """
    number = parse_id(token_id)
    if number is None:
        raise NotFoundError(f"Token not found: {token_id[:40]}")
    async with database.begin(durable=True) as connection:
        revoked = await tokens.revoke_token(connection, number, now_ms)
        await insert_audit(connection, name_act("token.revoke"), str(number), {"name": revoked.name}, now_ms)
    await asyncio.sleep(LOOKUP_KEPT_S)


async def has_chosen_token(database: Database, now_ms: int) -> bool:
    """Whether a token is there that someone made on purpose, and that is neither revoked nor expired."""
    return any(one.name != FIRST_ADMIN and one.is_live(now_ms) for one in await list_tokens(database))


async def authenticate(hub: Hub, authorization: str | None, known: KnownTokens | None = None) -> Principal:
    """The principal of an ``Authorization`` header; UnauthorizedError says what is wrong with it.

    Its token is read anew, unless ``known`` has read it in the last second.
    """
    if not authorization:
        raise UnauthorizedError("no token; send the header Authorization: Bearer mh_<id>_<secret>")
    scheme, _, text = authorization.strip().partition(" ")
    parsed = tokens.parse_token(text.strip()) if scheme.lower() == "bearer" else None
    if parsed is None:
        raise UnauthorizedError("the Authorization header is not Bearer mh_<id>_<secret>")
    token_id, secret = parsed
    now_ms = hub.clock()
    known = known or KnownTokens()
    found = await known.find(hub.database, token_id)
    if found is None or not found.accepts(secret, now_ms):
        # One message for all: whoever lacks the secret shall not learn which tokens exist or have ended.
        raise UnauthorizedError("the token is unknown, expired or revoked")
    if tokens.use_is_due(found, now_ms):
        known.note_use(found, now_ms)
        async with hub.database.begin() as connection:
            await tokens.note_use(connection, found.id, now_ms)
    return Principal(found.id, found.name, frozenset(found.scopes), found.requests_per_minute)
