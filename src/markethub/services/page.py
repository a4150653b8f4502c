"""A window on a longer list."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``rows`` of ``total``, after skipping ``offset``; at most ``limit`` of them."""

    rows: list[Row]
    total: int
    limit: int
    offset: int
