"""The events of an execution as they come over the line. No I/O, so both clients share it."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict
from urllib.parse import quote

import orjson

from markethub.client.answers import ExecutionProgressAnswer, LogAnswer
from markethub.client.failures import Attempts
from markethub.domain.errors import InputError, MarketHubError, UnavailableError

BEATS_MISSED_S = 45.0
"""A hub that has nothing to tell says so every 15 seconds; after this long without a word it is gone."""


class ProgressEvent(TypedDict):
    """The execution's state has changed."""

    event: Literal["progress"]
    data: ExecutionProgressAnswer


class LogEvent(TypedDict):
    """A line of the execution's log."""

    event: Literal["log"]
    data: LogAnswer


class EndEvent(TypedDict):
    """The execution has ended; nothing comes after it."""

    event: Literal["end"]
    data: ExecutionProgressAnswer


ExecutionEvent = ProgressEvent | LogEvent | EndEvent

_NAMES = ("progress", "log", "end")


class EventReading:
    """Where the reading of one execution's events stands; it can go on over another connection.

    ``is_over`` once the end has come.
    """

    def __init__(self, execution: Mapping[str, Any] | str | int) -> None:
        self.path = f"/api/v1/executions/{quote(name_execution(execution), safe='')}/events"
        self.is_over = False
        self._last_line: str | None = None
        self._state: object = None
        self._attempts = Attempts(safe=True)
        self._rest = b""

    def open(self) -> dict[str, str]:
        """The headers with which to ask, anew or for what follows."""
        self._rest = b""
        after = {} if self._last_line is None else {"Last-Event-ID": self._last_line}
        return {"Accept": "text/event-stream", **after}

    def feed(self, content: bytes) -> Iterator[ExecutionEvent]:
        """The events that ``content`` completes; a state that came before a broken line is not told again.

        UnavailableError for what no hub sends.
        """
        # Not by lines of text: JSON may hold characters at which those are split as well.
        *blocks, self._rest = (self._rest + content).split(b"\n\n")
        for block in blocks:
            event = self._read(block)
            is_known = event is not None and event["data"] == self._state
            # A state that is told anew proves no line that holds.
            if block.startswith(b":") or not (event is None or is_known):
                self._attempts = Attempts(safe=True)
            if event is None or (is_known and event["event"] == "progress"):
                continue
            if event["event"] == "progress":
                self._state = event["data"]
            self.is_over = event["event"] == "end"
            yield event

    def delay_s_after(self, error: MarketHubError | None) -> float:
        """How long to wait before asking again, after an error or a stream that ended early; raises the error
        when it is enough."""
        return self._attempts.delay_s_after(error or UnavailableError("the stream of events broke off"))

    def _read(self, block: bytes) -> Any:  # noqa: ANN401  (what the hub sends is what the types say)
        fields: dict[bytes, bytes] = {}
        for line in block.split(b"\n"):
            field, _, value = line.partition(b": ")
            fields[field] = value  # a comment's field is empty
        if b"data" not in fields:
            return None
        name = fields.get(b"event", b"").decode()
        try:
            data = orjson.loads(fields[b"data"])
        except orjson.JSONDecodeError as error:
            raise UnavailableError(f"event {name[:20]!r} of {self.path} is not JSON") from error
        if name not in _NAMES or not isinstance(data, dict):
            return None  # of a newer hub
        if b"id" in fields:
            self._last_line = fields[b"id"].decode()
        return {"event": name, "data": data}


def name_execution(execution: Mapping[str, Any] | str | int) -> str:
    """The id or trace id of what was queued, of an execution that was shown, or of what is one itself.

    InputError for a dry run's answer: nothing was queued.
    """
    if not isinstance(execution, Mapping):
        return str(execution)
    named = execution.get("trace_id")
    if not named:
        raise InputError("there is no execution to follow: a dry run queues nothing")
    return str(named)
