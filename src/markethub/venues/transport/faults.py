"""What a venue's refusals mean; each venue supplies only a table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from reprlib import Repr

from markethub.domain.errors import VenueError, VenueProtocolError, VenueRefusedError
from markethub.venues.transport.session import Answer

_QUOTED_CHARS = 200
_BRIEF = Repr()  # unlike the plain one, it has an answer for a value of any depth
_BRIEF.maxstring = _BRIEF.maxother = 60
LONGEST_WAIT_S = 259_200.0
"""No venue documents a ban longer than three days; a header that says more is not believed."""


class Reaction(Enum):
    """What to do about a fault that may pass."""

    RETRY = "ask again in a moment, a few times"
    WAIT = "close the gate for everyone for as long as the venue says, then ask again"
    RESYNC = "our clock is off: measure the venue's again, then ask once more"
    STOP = "close the gate for everyone and give up: going on makes it worse"


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal as understood; ``reaction`` is an error class where only giving up is left."""

    reaction: Reaction | type[VenueError]
    message: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class VenueWords:
    """The venue's own error code and words out of a body; ``code`` is compared as text."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class FaultTable:
    """A venue's refusals. A code beats a status that says nothing more than "refused".

    ``read_words`` finds the venue's error in a body of the given status, or None; it never raises. ``advice``
    says by code what a person can do about it; it ends the message.
    """

    venue: str
    read_words: Callable[[int, bytes], VenueWords | None]
    statuses: Mapping[int, Reaction | type[VenueError]] = field(default_factory=dict)
    codes: Mapping[str, Reaction | type[VenueError]] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)

    def judge(self, answer: Answer, subject: str) -> Fault | None:
        """What is wrong with ``answer``; None when nothing is. ``subject`` starts the message."""
        words = self.read_words(answer.status, answer.body)
        if answer.status == 200 and words is None:
            return None
        reaction = self._react(answer.status, words)
        told = f"{words.code} {words.text[:_QUOTED_CHARS]!r}" if words else quote_body(answer.body)
        message = f"{self.venue} {subject}: HTTP {answer.status} {told}"
        if words is not None and words.code in self.advice:
            message = f"{message}: {self.advice[words.code]}"
        return Fault(reaction, message, parse_retry_after(answer.headers.get("Retry-After")))

    def _react(self, status: int, words: VenueWords | None) -> Reaction | type[VenueError]:
        listed = self.statuses.get(status)
        if listed is not None:
            return listed
        if words is not None and words.code in self.codes:
            return self.codes[words.code]
        if status >= 500:
            return Reaction.RETRY
        if status >= 400 or words is not None:
            return VenueRefusedError
        return VenueProtocolError


def parse_retry_after(text: str | None) -> float | None:
    """Seconds out of a Retry-After header, at most three days; None when absent or not a count of seconds."""
    if text is None or not text.isascii() or not text.strip().isdigit():
        return None
    return min(float(text), LONGEST_WAIT_S)


def quote_body(body: bytes) -> str:
    """The start of a body for an error message, with anything odd escaped."""
    return repr(body[:_QUOTED_CHARS].decode("utf-8", errors="replace"))


def quote_value(value: object) -> str:
    """The start of a value out of an answer for an error message, however deep or long it is."""
    return _BRIEF.repr(value)[:_QUOTED_CHARS]
