"""What comparing slaves with their master found."""

from typing import Annotated, Literal

from pydantic import Field

from markethub.wire.model import AnswerModel, RequestModel, Text

MOST_PATIENCE_S = 3_600

VerifiedStatus = Annotated[
    Literal["equal", "repaired", "unsettled", "offline", "failed", "disabled"],
    Field(
        description="`repaired`: it differed and is equal now; `unsettled`: something changed each time it "
        "was compared; `offline`: it did not answer; `failed`: the verification ended with an error; "
        "`disabled`: it was not asked"
    ),
]
Subjects = Annotated[
    list[str], Field(description="series such as `BTC_USDT.BNC 1m`, and tables of records such as `fills`")
]


class VerifyQuery(RequestModel):
    """Which slave to verify, all without one, and how long to wait for it."""

    node: Annotated[
        Text | None, Field(description="a slave's name; all of them without it", examples=["backup1"])
    ] = None
    timeout_s: Annotated[
        float,
        Field(ge=0.1, le=MOST_PATIENCE_S, description="seconds to wait; the verification goes on after them"),
    ] = 300.0


class VerifiedNode(AnswerModel):
    """What one slave's verification found; null where it was not made."""

    name: str
    status: VerifiedStatus
    compared: Annotated[int | None, Field(description="how many series and tables were compared")]
    repaired: Subjects
    unsettled: Subjects
    revision: Annotated[int | None, Field(description="the master's revision that it has everything of")]
    duration: Annotated[float | None, Field(description="seconds that it took")]
    error: str | None


class Verification(AnswerModel):
    """Every slave that was asked, and whether all of them hold what the master holds now.

    ``equal`` is true where something was compared, and each enabled slave was equal or is so after a repair.
    """

    nodes: list[VerifiedNode]
    equal: bool
