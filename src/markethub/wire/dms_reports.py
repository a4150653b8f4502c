"""What nodes of one group tell each other about their replicas."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.dms_replication import SelectionBody, TimeMs
from markethub.wire.model import AnswerModel, RequestModel, Text

_Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
_Reason = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]


class ReplicaStateBody(RequestModel):
    """How the slave stands; null where something has not come to pass yet."""

    store_id: Text | None
    epoch: _Count
    revision: _Count | None
    selection: SelectionBody
    synced_ms: TimeMs | None
    verified_ms: TimeMs | None
    compared: _Count | None
    repaired: _Count | None
    unsettled: _Count | None
    error: _Reason | None


class SyncEntryBody(RequestModel):
    """What runs that began in one hour did to one subject so far."""

    symbol: _Name
    interval: _Name
    sync_mode: Literal["incremental", "full", "repair"]
    start_ms: TimeMs
    end_ms: TimeMs
    data_count: _Count
    status: Literal["success", "failed"]
    error: _Reason


class ReplicaReport(RequestModel):
    """What a slave tells its master until it is acknowledged."""

    state: ReplicaStateBody
    history: Annotated[tuple[SyncEntryBody, ...], Field(max_length=10_000)]


class WaitBody(RequestModel):
    """How long the asking node waits."""

    timeout_s: Annotated[float, Field(ge=0.1, le=86_400)]


class RepairBody(RequestModel):
    """What to compare and repair: one symbol or everything, in a range or at all times."""

    symbol: Text | None = None
    start_ms: TimeMs | None = None
    end_ms: TimeMs | None = None


class Done(AnswerModel):
    """It was taken note of."""

    success: Literal[True] = True
