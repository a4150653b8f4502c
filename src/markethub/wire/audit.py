"""Who changed what, by which token, from where."""

from typing import Annotated, Any

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, Text
from markethub.wire.pagination import Descending, Limit, Offset, Pagination
from markethub.wire.times import LATER, AnswerTime, OptionalRequestTime


class AuditQuery(RequestModel):
    """Which acts to list, newest first; ``after <= at < before``."""

    token: Annotated[Text | None, Field(description="a token's id or name", examples=["desk"])] = None
    action: Annotated[
        Text | None,
        Field(
            description="an action such as `execution.cancel`, or what comes before the dot",
            examples=["execution.cancel"],
        ),
    ] = None
    limit: Limit = 50
    offset: Offset = 0
    before: Annotated[OptionalRequestTime, Field(description="done before this", examples=[LATER])] = None
    after: Annotated[OptionalRequestTime, Field(description="done at this time or later")] = None
    order_desc: Descending = True


class AuditEntry(AnswerModel):
    """One act; ``target`` is what it was done to: a trace id, a token's id, an exchange, a job, a slave.

    ``token_id`` is null where there was no token of ours. ``token_name`` is then ``local:`` and the user for
    the command line on the hub's own machine; under `/api/dms` it is ``local`` for a program there, ``node:``
    and its name for a node of the group, ``anyone`` for others.
    """

    id: str
    at: AnswerTime
    token_id: str | None
    token_name: str
    address: str
    action: str
    target: str
    details: dict[str, Any]


class AuditList(AnswerModel):
    """A page of acts."""

    data: list[AuditEntry]
    pagination: Pagination
