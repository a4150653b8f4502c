"""What a tool is: one route, with the model of its request as its parameters."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from markethub.wire.model import RequestModel


class Shape(StrEnum):
    """What an answer looks like, and so how one that is too long is cut.

    ``ONE`` object; a ``PAGE`` of a list that the API cuts by offset and limit; a whole ``LIST``; ``BARS`` by
    open time.
    """

    ONE = "one"
    PAGE = "page"
    LIST = "list"
    BARS = "bars"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. Its arguments are the fields of ``model``, less ``hidden``, and those that ``path`` names.

    The route behind ``path`` checks arguments and scope; ``scope`` only tells which one it needs. What is
    not in the path goes into the query of a GET, and ``in_query`` of any method, else into the body. A slow
    one may take hours, and is not asked twice.
    """

    name: str
    words: str
    model: type[RequestModel]
    scope: str
    path: str
    shape: Shape
    method: Literal["GET", "POST", "PUT"] = "GET"
    most_rows: int | None = None
    hidden: frozenset[str] = frozenset()
    is_destructive: bool = False
    in_query: bool = False
    is_slow: bool = False

    @property
    def reads_only(self) -> bool:
        return not self.scope.startswith("write:")

    @property
    def title(self) -> str:
        return self.name.removeprefix("datahub_").replace("_", " ").capitalize()


class NoParameters(RequestModel):
    """Takes no parameters."""
