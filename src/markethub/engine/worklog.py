"""The log of work: rows for the API, batched, and structured lines for the process's own log."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from markethub.control.logs import NewLogLine
from markethub.control.values import clean_text
from markethub.ports.clock import Clock

MAX_MESSAGE_CHARS = 8_000
MAX_WAITING_LINES = 20_000

_structured = structlog.get_logger("markethub.work")


@dataclass(frozen=True, slots=True)
class WorkContext:
    """Whose work a line is about; of no execution where it tells why there is none."""

    trace_id: str | None
    job_id: int
    execution_id: int | None
    worker_id: str | None


class LogBuffer:
    """Lines that wait to be stored, in order; safe to append to from any thread, and bounded.

    ``on_first`` is called, in the appending thread, when a line enters the empty buffer. While the database
    is away longer than the bound lasts, new lines are dropped; one line says how many.
    """

    def __init__(self, clock: Clock, on_first: Callable[[], None]) -> None:
        self._clock = clock
        self._on_first = on_first
        self._lines: deque[NewLogLine] = deque()
        self._lock = threading.Lock()
        self._gap: WorkContext | None = None
        self._gap_lines = 0
        self.dropped_total = 0

    def __len__(self) -> int:
        return len(self._lines)

    def append(self, context: WorkContext, level: str, message: str) -> None:
        """Keep one line for the database and write it to the process's log."""
        line = new_line(context, level, message, self._clock())
        with self._lock:
            first = not self._lines
            if len(self._lines) < MAX_WAITING_LINES:
                self._lines.append(line)
            else:
                self._gap = context
                self._gap_lines += 1
                self.dropped_total += 1
        emit(line)
        if first:
            self._on_first()

    def take(self) -> list[NewLogLine]:
        """Remove and return what waits, oldest first."""
        with self._lock:
            taken = list(self._lines)
            self._lines.clear()
            gap, gap_lines = self._gap, self._gap_lines
            self._gap, self._gap_lines = None, 0
        if gap is not None:
            text = f"{gap_lines} log lines were dropped here: the control database was away"
            taken.append(new_line(gap, "WARNING", text, self._clock()))
        return taken

    def put_back(self, lines: Sequence[NewLogLine]) -> None:
        """Undo ``take``: the lines stand before any that came since."""
        with self._lock:
            self._lines.extendleft(reversed(lines))


class BufferedWorkLog:
    """The WorkLog that handlers get."""

    __slots__ = ("_buffer", "_context")

    def __init__(self, buffer: LogBuffer, context: WorkContext) -> None:
        self._buffer = buffer
        self._context = context

    def debug(self, message: str) -> None:
        self._buffer.append(self._context, "DEBUG", message)

    def info(self, message: str) -> None:
        self._buffer.append(self._context, "INFO", message)

    def warning(self, message: str) -> None:
        self._buffer.append(self._context, "WARNING", message)

    def error(self, message: str) -> None:
        self._buffer.append(self._context, "ERROR", message)


def new_line(context: WorkContext, level: str, message: str, now_ms: int) -> NewLogLine:
    """A storable line about ``context``."""
    return NewLogLine(
        timestamp_ms=now_ms,
        level=level,
        message=clean_text(message, MAX_MESSAGE_CHARS),
        trace_id=context.trace_id,
        job_id=context.job_id,
        execution_id=context.execution_id,
        worker_id=context.worker_id,
    )


def emit(line: NewLogLine) -> None:
    """Write a line to the process's structured log."""
    _structured.log(
        _LEVEL_NUMBERS[line.level],
        line.message,
        trace_id=line.trace_id,
        execution_id=line.execution_id,
        worker_id=line.worker_id,
    )


_LEVEL_NUMBERS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
