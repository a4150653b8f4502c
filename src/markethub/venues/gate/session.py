"""Gate's own headers, told to the budgets and to the caller in words they understand."""

from collections.abc import Mapping

from multidict import CIMultiDict

from markethub.venues.gate.limits import LIMIT_HEADER, OUT_TIME_HEADER, REMAIN_HEADER, RESET_HEADER
from markethub.venues.transport.budget import WeightBudget
from markethub.venues.transport.request import Request
from markethub.venues.transport.session import Answer, Timeouts, VenueSession

COUNT_HEADER = "MarketHub-Requests-Used"
"""Added to every answer that tells what is left: how many requests the venue has counted in this window."""

_LONGEST_NUMBER = 18  # digits
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this number is the year 5138


class GateSession(VenueSession):
    """A session whose answers say ``Retry-After``, and what the venue has counted.

    The venue tells instead when its limit resets, and what is left of it; the limit goes to the budget of the
    path, if it has one. Source: "Rate Limit" of the Gate API v4 page.
    """

    def __init__(
        self, venue: str, base_url: str, timeouts: Timeouts, budgets: Mapping[str, WeightBudget]
    ) -> None:
        super().__init__(venue, base_url, timeouts)
        self._budgets = budgets

    async def send(self, request: Request, max_bytes: int) -> Answer:
        answer = await super().send(request, max_bytes)
        path = request.target.partition("?")[0]
        headers = CIMultiDict(answer.headers)
        limit, left = _read_number(headers, LIMIT_HEADER), _read_number(headers, REMAIN_HEADER)
        if limit and path in self._budgets:
            self._budgets[path].set_limit(limit)
        if limit and left is not None:
            headers[COUNT_HEADER] = str(max(limit - left, 0))
        if wait_s := read_wait_s(headers):
            headers["Retry-After"] = str(wait_s)
        return Answer(answer.status, headers, answer.body)


def read_wait_s(headers: Mapping[str, str]) -> int | None:
    """Whole seconds until the limit resets, by the venue's own clock; None when it does not lie ahead.

    The reset header shows the present time while nothing is exceeded. Its unit is not documented: both that
    clients have read are taken. ``X-Out-Time`` is in microseconds.
    """
    reset, out_us = _read_number(headers, RESET_HEADER), _read_number(headers, OUT_TIME_HEADER)
    if reset is None or out_us is None:
        return None
    reset_us = reset * (1_000 if reset >= _MILLISECONDS_FROM else 1_000_000)
    return -((out_us - reset_us) // 1_000_000) if reset_us > out_us else None


def _read_number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        return None
    return int(text)
