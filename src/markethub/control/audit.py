"""Who changed what: one row for every write, in the write's own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.listing import fetch_page
from markethub.control.schema import audit
from markethub.control.values import clean_text, decode_object, encode_object, is_storable, parse_id
from markethub.domain.errors import InputError

_LONGEST_TEXT = 200
_LONGEST_DETAILS = 8_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a token and the address it came from.

    ``token_id`` is None where there is none: for this machine's command line, whose name is ``local:`` and
    the user of the operating system, and for those whom the door of DMS lets in without one.
    """

    token_id: int | None
    token_name: str
    address: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something that ``caller`` does, named ``thing.verb`` such as ``execution.cancel``."""

    caller: Caller
    action: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One stored act. ``target`` is what it was done to: a trace id, a token's id, an exchange, a job."""

    id: int
    at_ms: int
    token_id: int | None
    token_name: str
    address: str
    action: str
    target: str
    details: Mapping[str, Any]


async def insert_audit(
    connection: AsyncConnection, act: Act, target: str, details: Mapping[str, Any], now_ms: int
) -> None:
    """Note an act in the transaction that carries it out; ``details`` are JSON values and never a secret.

    Details of more than 8,000 characters keep their short values only, and say what was left out.
    """
    row = {
        "at_ms": now_ms,
        "token_id": act.caller.token_id,
        "token_name": clean_text(act.caller.token_name, _LONGEST_TEXT),
        "address": clean_text(act.caller.address, _LONGEST_TEXT),
        "action": act.action,
        "target": clean_text(target, _LONGEST_TEXT),
        "details": _write_details(details),
    }
    await connection.execute(insert(audit).values(row))


async def list_audit(
    connection: AsyncConnection,
    *,
    token: str | None = None,
    action: str | None = None,
    before_ms: int | None = None,
    after_ms: int | None = None,
    order_desc: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[AuditRow], int]:
    """One window of the matching rows by time, newest first unless told otherwise, and how many match.

    ``token`` is a token's id or name. ``action`` is a whole one, or its part before the dot;
    ``after_ms <= at < before_ms``.
    """
    where: list[ColumnElement[bool]] = []
    if token:
        where.append(_by(token))
    if action:
        where.append(_like(action))
    if after_ms is not None:
        where.append(audit.c.at_ms >= after_ms)
    if before_ms is not None:
        where.append(audit.c.at_ms < before_ms)
    columns = (audit.c.at_ms, audit.c.id)
    order = [column.desc() if order_desc else column.asc() for column in columns]
    rows, total = await fetch_page(
        connection, select(audit), where=where, order=order, limit=limit, offset=offset
    )
    return [_audit_row(row) for row in rows], total


def _by(token: str) -> ColumnElement[bool]:
    if not is_storable(token):
        raise InputError("token holds a character that cannot be stored")
    named = audit.c.token_name == token
    number = parse_id(token)
    return named if number is None else (audit.c.token_id == number) | named


def _like(action: str) -> ColumnElement[bool]:
    if not is_storable(action):
        raise InputError("action holds a character that cannot be stored")
    return (audit.c.action == action) | audit.c.action.startswith(f"{action}.", autoescape=True)


def _write_details(details: Mapping[str, Any]) -> str:
    text = encode_object(details, "details")
    if len(text) <= _LONGEST_DETAILS:
        return text
    room = _LONGEST_DETAILS // (2 * len(details))
    short = {
        name: value for name, value in details.items() if len(encode_object({name: value}, name)) <= room
    }
    left_out = [name for name in details if name not in short]
    return encode_object({**short, "left_out": left_out[:20]}, "details")


def _audit_row(row: Row[Any]) -> AuditRow:
    return AuditRow(**{**row._asdict(), "details": decode_object(row.details)})
