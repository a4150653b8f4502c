"""What every list of rows shares: substring search, order by a named field, and a window with its total."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, UnaryExpression, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import operators

from markethub.control.values import MAX_ID, is_storable
from markethub.domain.errors import InputError

_OPPOSITES = {
    operators.asc_op: operators.desc_op,
    operators.desc_op: operators.asc_op,
    operators.nulls_first_op: operators.nulls_last_op,
    operators.nulls_last_op: operators.nulls_first_op,
}

_FEW_ROWS = 200


def contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column holds ``text`` anywhere, in any case; ``%`` and ``_`` mean themselves."""
    return column.icontains(text, autoescape=True)


def check_search(text: str) -> str:
    """Return the search text; InputError if no row could ever hold it."""
    if not is_storable(text):
        raise InputError("search holds a character that cannot be stored")
    return text


def ordering(
    fields: Mapping[str, ColumnElement[Any]], order_by: str, *, descending: bool, tie: ColumnElement[int]
) -> list[ColumnElement[Any]]:
    """ORDER BY the named field, then ``tie``, in one direction; missing values count as the smallest.

    InputError that lists the allowed fields for any other name.
    """
    column = fields.get(order_by)
    if column is None:
        raise InputError(f"order_by {order_by[:40]!r} is not one of {', '.join(fields)}")
    ordered = column.desc() if descending else column.asc()
    if getattr(column, "nullable", False):  # else unsaid: PostgreSQL would not read the index in order
        ordered = ordered.nulls_last() if descending else ordered.nulls_first()
    return [ordered, tie.desc() if descending else tie.asc()]


async def fetch_page(
    connection: AsyncConnection,
    statement: Select[Any],
    *,
    where: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
    offset: int,
    total: int | None = None,
) -> tuple[Sequence[Row[Any]], int]:
    """Rows ``offset`` to ``offset + limit`` of those that match, and how many match in all.

    ``order`` decides between any two rows, each part said as ascending or descending. ``total`` is given by
    who knows it without counting.
    """
    check_window(limit, offset)
    source = statement.get_final_froms()[0]
    if total is None:
        counting = select(func.count()).select_from(source).where(*where)
        total = (await connection.execute(counting)).scalar_one()
    if offset >= total:
        return [], total
    is_nearer_end = offset > total // 2  # rows that are skipped are read too: skip the fewer ones
    skipped = max(total - offset - limit, 0) if is_nearer_end else offset
    order = [_reverse(part) for part in order] if is_nearer_end else order
    most = min(limit, total - offset)
    if skipped <= _FEW_ROWS:
        window = statement.where(*where).order_by(*order).limit(most).offset(skipped)
    else:
        # The index alone is read for what is skipped, the rows only for what is shown.
        ids = select(source.c.id).where(*where).order_by(*order).limit(most).offset(skipped).subquery()
        window = statement.join(ids, ids.c.id == source.c.id).order_by(*order)
    rows = (await connection.execute(window)).all()
    return (rows[::-1] if is_nearer_end else rows), total


def check_window(limit: int, offset: int) -> None:
    """InputError unless there can be such a window."""
    if limit < 1 or not 0 <= offset <= MAX_ID:
        raise InputError(f"limit {limit} and offset {offset} must be at least 1 and 0")


def _reverse(order: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(order, UnaryExpression) and order.modifier in _OPPOSITES:
        return UnaryExpression(_reverse(order.element), modifier=_OPPOSITES[order.modifier])
    return order
