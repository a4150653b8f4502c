"""Yahoo's own ways with HTTP: an answer that only looks like a refusal, and its clock in a header."""

from email.utils import parsedate_to_datetime

from markethub.domain.errors import VenueProtocolError
from markethub.domain.times import to_ms
from markethub.venues.stocks.yahoo.errors import says_no_data
from markethub.venues.transport.request import Request
from markethub.venues.transport.session import Answer, Timeouts, VenueSession


class YahooSession(VenueSession):
    """A session that names a browser, and remembers the ``Date`` of the last answer.

    A span without any bar is answered with 400; that becomes the empty chart it means.
    """

    def __init__(self, venue: str, base_url: str, timeouts: Timeouts, user_agent: str) -> None:
        super().__init__(venue, base_url, timeouts)
        self._user_agent = user_agent
        self._date: str | None = None

    async def send(self, request: Request, max_bytes: int) -> Answer:
        headers = {**request.headers, "User-Agent": self._user_agent, "Accept": "application/json"}
        answer = await super().send(Request(request.method, request.target, headers), max_bytes)
        self._date = answer.headers.get("Date")
        if says_no_data(answer.status, answer.body):
            return Answer(200, answer.headers, answer.body)
        return answer

    def date_ms(self) -> int:
        """The ``Date`` of the last answer, whole seconds rounded down; VenueProtocolError without one."""
        return read_date_ms(self._date)


def read_date_ms(text: str | None) -> int:
    """Unix milliseconds out of a ``Date`` header; VenueProtocolError if it is none."""
    try:
        return to_ms(parsedate_to_datetime(text or ""))
    except ValueError as error:
        raise VenueProtocolError(f"Yahoo's answer has no date: {(text or '')[:60]!r}") from error
