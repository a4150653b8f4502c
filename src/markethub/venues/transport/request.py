"""What is asked, and how it is put on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import quote, urlencode

Method = Literal["GET", "POST"]
_SHORTEST_SECRET = 6  # shorter header values are flags, and would be found in every text


@dataclass(frozen=True, slots=True)
class Question:
    """A request that changes nothing at the venue, and its price.

    ``subject`` names it in errors, so it must hold no secret. A POST has its parameters in the query, too.
    """

    path: str
    weight: int
    subject: str
    max_bytes: int
    params: Mapping[str, str | int] = field(default_factory=dict)
    method: Method = "GET"

    @property
    def query(self) -> str:
        """The parameters in their order, percent-encoded as they are sent and signed; empty without any."""
        return urlencode(self.params, quote_via=quote, safe="")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request below a base URL; ``target`` is path and query byte for byte as they are sent."""

    method: Method
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def plain_request(question: Question) -> Request:
    """The question as anyone may ask it."""
    query = question.query
    return Request(question.method, f"{question.path}?{query}" if query else question.path)


def conceal(text: str, request: Request) -> str:
    """``text`` without what the request's headers carry: venues quote keys in their refusals."""
    for value in request.headers.values():
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text


class Signer(Protocol):
    """Turns questions into requests in the name of an account."""

    async def prepare(self) -> None:
        """Make sure that the venue's clock is known; asked before the request waits in line."""

    def sign(self, question: Question) -> Request:
        """The request, dated and signed at this moment."""

    async def resync(self) -> None:
        """Measure the venue's clock again: it has refused our time."""
