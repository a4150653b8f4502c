"""The nodes of a group and how they follow each other. Source: dms_api."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.pagination import Limit, Offset
from markethub.wire.times import LATER, AnswerSecond, OptionalRequestTime

NodeRole = Annotated[Literal["master", "slave"], Field(description="what it is in the group")]
NodeState = Annotated[
    Literal["running", "offline", "disabled"],
    Field(description="`offline`: it did not answer in time; `disabled`: it is not asked"),
]
Uptime = Annotated[int, Field(description="whole seconds since its start", examples=[3600])]
KnownUptime = Annotated[
    int | None,
    Field(description="whole seconds since its start; null where it did not tell", examples=[3600]),
]
KnownEpoch = Annotated[
    int | None, Field(description="the count of reigns that it knows of; null where it did not tell")
]
LastSync = Annotated[
    AnswerSecond | None,
    Field(description="when it last had everything that the master had; null before the first time"),
]
LagSeconds = Annotated[
    float | None, Field(description="for how long the oldest change that it lacks has been there; 0 for none")
]
LagRows = Annotated[int | None, Field(description="rows of the changes that it lacks")]
LagRevisions = Annotated[int | None, Field(description="revisions of the master that it lacks")]
_Trouble = Annotated[str | None, Field(description="why it did not answer, or what its last run failed for")]


class NodeStatus(AnswerModel):
    """One node about itself; the last three fields are not the page's.

    ``epoch`` counts the promotions in the group. A ``fenced`` master was replaced while it was away, and
    writes nothing.
    """

    role: NodeRole
    running: bool
    uptime: Uptime
    tasks_count: Annotated[int, Field(description="how many tasks it has", examples=[3])]
    name: str
    epoch: Annotated[int, Field(description="the count of reigns that it knows of", examples=[1])]
    fenced: bool


class MasterNode(AnswerModel):
    """A master in the list of nodes; the last three fields are not the page's."""

    name: str
    role: Literal["master"] = "master"
    host: str
    port: int
    status: NodeState
    uptime: KnownUptime
    tasks_count: Annotated[int | None, Field(description="how many tasks it has; null where it did not tell")]
    last_sync: Annotated[None, Field(description="a master follows nobody")] = None
    epoch: KnownEpoch
    fenced: Annotated[
        bool | None, Field(description="it was replaced and writes nothing; null where it did not tell")
    ]
    error: _Trouble


class SlaveNode(AnswerModel):
    """A slave in the list of nodes; what follows ``sync_delay`` is not the page's.

    All that tells of its lag is null where nobody knows: it has never reported, or who answers is not its
    master.
    """

    name: str
    role: Literal["slave"] = "slave"
    host: str
    port: int
    status: NodeState
    uptime: KnownUptime
    last_sync: LastSync
    sync_delay: Annotated[int | None, Field(description="whole seconds since ``last_sync``", examples=[5])]
    lag_seconds: LagSeconds
    lag_rows: LagRows
    lag_revisions: LagRevisions
    last_verified: Annotated[
        AnswerSecond | None, Field(description="when all its contents were last compared with the master's")
    ]
    epoch: KnownEpoch
    error: _Trouble


class NodeList(AnswerModel):
    """All nodes that this one knows, itself among them: the master first."""

    nodes: list[Annotated[MasterNode | SlaveNode, Field(discriminator="role")]]
    total_nodes: int
    online_nodes: Annotated[int, Field(description="those whose status is `running`")]


class Backup(AnswerModel):
    """How far one slave has followed; what comes after ``last_sync`` is not the page's."""

    name: str
    host: str
    port: int
    last_sync: LastSync
    enabled: bool
    lag_seconds: LagSeconds
    lag_rows: LagRows
    lag_revisions: LagRevisions
    last_verified: Annotated[
        AnswerSecond | None, Field(description="when all its contents were last compared with the master's")
    ]
    error: Annotated[str | None, Field(description="what its last run failed for")]


class SyncStatus(AnswerModel):
    """How far the slaves have followed; a slave tells of itself alone."""

    backups: list[Backup]
    total_backups: int


class HistoryQuery(RequestModel):
    """Which part of the sync history to show."""

    backup_name: Annotated[Text | None, Field(description="one slave's rows only", examples=["backup1"])] = (
        None
    )
    limit: Limit = 100
    offset: Offset = 0


class SyncRow(AnswerModel):
    """What one slave brought of one series in a stretch of time; runs within an hour are one row.

    ``interval`` is empty where ``symbol`` is a table of other data, such as `fills`; both are empty where a
    whole run failed.
    """

    id: int
    backup_name: str
    symbol: str
    interval: str
    sync_mode: Annotated[
        str,
        Field(
            description="`incremental`: changes; `full`: all contents; `repair`: a difference was found",
            examples=["incremental"],
        ),
    ]
    start_time: AnswerSecond
    end_time: AnswerSecond
    data_count: Annotated[int, Field(description="rows that came")]
    status: Annotated[str, Field(description="`success` or `failed`", examples=["success"])]
    error: Annotated[str | None, Field(description="why it failed")]


class SyncHistory(AnswerModel):
    """A part of the sync history, the newest first; ``total`` rows match, which the page does not tell."""

    history: list[SyncRow]
    total: int


class SyncTriggerQuery(RequestModel):
    """Whom to tell that there is news."""

    backup_name: Annotated[
        Text | None, Field(description="one slave; all of them when left out", examples=["backup1"])
    ] = None


class TriggerResult(AnswerModel):
    """By slave whether it was told; ``success`` is whether all were."""

    success: bool
    results: Annotated[
        dict[str, bool], Field(description="false for a slave that is disabled or does not answer")
    ]


class SyncTriggered(AnswerModel):
    """``success`` is whether anybody was told."""

    success: bool
    message: str
    result: TriggerResult


class Slave(AnswerModel):
    """One node that the configuration lets follow this one."""

    name: str
    host: str
    port: int
    enabled: bool


class SlaveStatus(AnswerModel):
    """What one slave told when it was asked just now; the last two fields are not the page's."""

    name: str
    role: NodeRole
    host: str
    port: int
    status: NodeState
    uptime: KnownUptime
    epoch: KnownEpoch
    error: _Trouble


class SyncBody(RequestModel):
    """What to bring and compare; everything for what is left out.

    Times without a zone are UTC, the range is ``start_date <= time < end_date``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"symbol": "US.AAPL", "start_date": "2024-01-01T00:00:00", "end_date": "2024-01-23T00:00:00"},
                {},
            ]
        }
    )

    symbol: Annotated[Text | None, Field(description="one symbol", examples=["US.AAPL"])] = None
    start_date: Annotated[OptionalRequestTime, Field(description="compare from there on")] = None
    end_date: Annotated[
        OptionalRequestTime, Field(description="compare what is before it", examples=[LATER])
    ] = None


class SyncResult(AnswerModel):
    """What became of it, for people."""

    success: bool
    message: str


class SyncAnswer(AnswerModel):
    """What became of a request to sync one slave."""

    success: bool
    result: SyncResult


class CompletedSync(SyncResult):
    """What came; ``rows`` is not the page's."""

    rows: Annotated[int, Field(description="rows that were missing or different")]


class SyncCompleted(AnswerModel):
    """The data is there."""

    success: bool
    result: CompletedSync
