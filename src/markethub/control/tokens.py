"""Access tokens: only the hash of a secret is ever stored."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import token
from markethub.control.values import encode_json, parse_id
from markethub.domain.errors import NotFoundError

_PREFIX = "mh"
_USE_NOTED_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token; times in ms. ``requests_per_minute`` is None where the settings say how many."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None
    requests_per_minute: int | None
    secret_sha256: str = field(repr=False)

    def accepts(self, secret: str, now_ms: int) -> bool:
        """Whether ``secret`` is this token's, and it is neither revoked nor expired."""
        matches = hmac.compare_digest(self.secret_sha256, _sha256(secret))
        return matches and self.is_live(now_ms)

    def is_live(self, now_ms: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


async def create_token(
    connection: AsyncConnection,
    *,
    name: str,
    scopes: Sequence[str],
    now_ms: int,
    expires_ms: int | None = None,
    requests_per_minute: int | None = None,
) -> tuple[Token, str]:
    """Store a new token; return it and its full text ``mh_<id>_<secret>``, which cannot be had again.

    The secret is 256 random bits in hexadecimal, so its plain sha256 is safe to store.
    """
    secret = secrets.token_hex(32)
    row = {
        "name": name,
        "secret_sha256": _sha256(secret),
        "scopes": encode_json(list(scopes), "scopes"),
        "created_ms": now_ms,
        "expires_ms": expires_ms,
        "requests_per_minute": requests_per_minute,
    }
    stored = (await connection.execute(insert(token).values(row).returning(*token.c))).one()
    return _token(stored), f"{_PREFIX}_{stored.id}_{secret}"


def parse_token(text: str) -> tuple[int, str] | None:
    """The id and the secret of ``mh_<id>_<secret>``, or None for any other text."""
    prefix, _, rest = text.partition("_")
    number, _, secret = rest.partition("_")
    token_id = parse_id(number)
    if prefix != _PREFIX or token_id is None or not secret:
        return None
    return token_id, secret


async def find_token(connection: AsyncConnection, token_id: int) -> Token | None:
    """The token of that id, revoked or not, or None."""
    row = (await connection.execute(select(token).where(token.c.id == token_id))).one_or_none()
    return None if row is None else _token(row)


async def list_tokens(connection: AsyncConnection) -> list[Token]:
    """Every token, revoked ones too, oldest first."""
    return [_token(row) for row in await connection.execute(select(token).order_by(token.c.id))]


async def count_tokens(connection: AsyncConnection) -> int:
    """How many tokens there are, revoked ones too; 0 tells a fresh installation."""
    return (await connection.execute(select(func.count()).select_from(token))).scalar_one()


async def revoke_token(connection: AsyncConnection, token_id: int, now_ms: int) -> Token:
    """Revoke for good, keeping the first time if it was already; NotFoundError if there is none."""
    await connection.execute(
        update(token).where(token.c.id == token_id, token.c.revoked_ms.is_(None)).values(revoked_ms=now_ms)
    )
    revoked = await find_token(connection, token_id)
    if revoked is None:
        raise NotFoundError(f"Token not found: {token_id}")
    return revoked


def use_is_due(found: Token, now_ms: int) -> bool:
    """Whether ``note_use`` would write: at most once a minute, so that reads stay reads."""
    return found.last_used_ms is None or now_ms - found.last_used_ms >= _USE_NOTED_EVERY_MS


async def note_use(connection: AsyncConnection, token_id: int, now_ms: int) -> None:
    """Set ``last_used_ms``, unless it was set in the last minute."""
    stale = or_(token.c.last_used_ms.is_(None), token.c.last_used_ms <= now_ms - _USE_NOTED_EVERY_MS)
    await connection.execute(update(token).where(token.c.id == token_id, stale).values(last_used_ms=now_ms))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _token(row: Row[Any]) -> Token:
    return Token(**{**row._asdict(), "scopes": tuple(orjson.loads(row.scopes))})
