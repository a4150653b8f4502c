"""How each slave stands, as it last told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from markethub.control.schema import replica_state
from markethub.control.values import clean_text, decode_object, encode_object

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """How one slave stands; times in Unix milliseconds UTC, None where it has not come to pass yet.

    It has everything of ``selection`` (as ``Selection.to_texts``) up to ``revision`` of the history
    ``store_id``. The three counts are those of its last verification: subjects compared, repaired, and not
    settled. ``error`` is why its last run failed.
    """

    store_id: str | None
    epoch: int
    revision: int | None
    selection: Mapping[str, Sequence[str]]
    synced_ms: int | None
    verified_ms: int | None
    compared: int | None
    repaired: int | None
    unsettled: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ReportedState:
    """A state and when it was told, by the clock of whoever keeps it."""

    state: ReplicaState
    reported_ms: int


async def keep_state(connection: AsyncConnection, name: str, state: ReplicaState, now_ms: int) -> None:
    """Let this be how the slave ``name`` stands."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    error = None if state.error is None else clean_text(state.error, _LONGEST_ERROR)
    values = asdict(state) | {
        "selection": encode_object(state.selection, "selection"),
        "error": error,
        "reported_ms": now_ms,
    }
    statement = dialect.insert(replica_state).values(name=name, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


async def read_states(connection: AsyncConnection) -> dict[str, ReportedState]:
    """How each slave that ever told stands, by its name."""
    return {row.name: _reported(row) for row in await connection.execute(select(replica_state))}


def _reported(row: Row[Any]) -> ReportedState:
    values = {name: getattr(row, name) for name in ReplicaState.__dataclass_fields__}
    values["selection"] = decode_object(row.selection)
    return ReportedState(ReplicaState(**values), row.reported_ms)
