"""Windows on longer lists, as every list answer shows them."""

from typing import Annotated, Self

from pydantic import Field

from markethub.wire.model import AnswerModel

Limit = Annotated[int, Field(ge=1, le=1000, description="rows to return, 1 to 1000")]

# Above 2**53 a JSON number is not exact for every reader.
Offset = Annotated[int, Field(ge=0, le=2**53, description="rows to skip")]

Descending = Annotated[bool, Field(description="the last first")]


class Pagination(AnswerModel):
    """Where a window of ``page_size`` rows lies in a list of ``total``; pages count from 1."""

    page: int
    page_size: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool

    @classmethod
    def of(cls, *, total: int, limit: int, offset: int) -> Self:
        """Describe ``limit`` rows after ``offset``; an offset between two pages counts to the lower one."""
        return cls(
            page=offset // limit + 1,
            page_size=limit,
            total=total,
            total_pages=-(-total // limit),
            has_next=offset + limit < total,
            has_prev=offset > 0,
        )
