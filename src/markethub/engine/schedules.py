"""When a job is due, and what becomes of runs that come late; pure."""

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from markethub.domain.errors import InputError
from markethub.domain.times import from_ms, to_ms

GRACE_SECONDS = 60
"""How late a run may start where the job does not say."""

CRON = "cron"
INTERVAL = "interval"

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EVERY = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_LONGEST_INTERVAL_S = 366 * 86_400
_LONGEST_EXPRESSION = 200
_FIELDS = "minute, hour, day of month, month, day of week"


class Schedule(Protocol):
    """The moments at which something is due, without end."""

    def next_ms(self, after_ms: int) -> int:
        """The first due moment after ``after_ms``."""


class Timing(Protocol):
    """The columns of a job that say when it is due."""

    @property
    def schedule_type(self) -> str | None: ...
    @property
    def schedule(self) -> str | None: ...
    @property
    def interval_seconds(self) -> int | None: ...
    @property
    def time_zone(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """Every ``seconds``, counted from 1970-01-01T00:00:00Z: no restart moves the grid, and all processes see
    the same."""

    seconds: int

    def next_ms(self, after_ms: int) -> int:
        width_ms = self.seconds * 1000
        return after_ms - after_ms % width_ms + width_ms


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron expression in a time zone, read by cronsim's rules, which are Debian cron's.

    Where clocks are set forward, a time of day that is left out is due at the first minute after the gap;
    where they are set back, a time of day that comes twice is due once, the first time. Expressions whose
    minute or hour begins with ``*`` go on by the minute and hour, as if clocks were never set.
    """

    expression: str
    zone: tzinfo

    def next_ms(self, after_ms: int) -> int:
        for moment in CronSim(self.expression, from_ms(after_ms).astimezone(self.zone)):
            # In an hour that comes twice cronsim answers for the first one, also when that has passed.
            if (due_ms := to_ms(moment)) > after_ms:
                return due_ms
        raise InputError(f"cron {self.expression!r} is never due")


@lru_cache(maxsize=1_000)
def parse_cron(expression: str, time_zone: str | None = None) -> CronSchedule:
    """Read five fields, in the time of an IANA zone (None: UTC); InputError says what is wrong."""
    zone = _parse_zone("UTC" if time_zone is None else time_zone)
    fields = expression.split()
    if len(fields) != 5 or len(expression) > _LONGEST_EXPRESSION:
        raise InputError(f"cron {expression[:80]!r} has not the five fields {_FIELDS}")
    schedule = CronSchedule(" ".join(fields), zone)
    try:
        schedule.next_ms(0)
    except CronSimError as error:
        fault = str(error).lower()
        raise InputError(f"cron {expression!r}: {fault}; the five fields are {_FIELDS}") from error
    return schedule


def parse_every(text: str) -> int:
    """Read ``90s``, ``15m``, ``6h`` or ``1d`` into seconds, at most 366 days; InputError otherwise."""
    match = _EVERY.fullmatch(text)
    seconds = 0 if match is None else int(match[1]) * _UNITS_S[match[2]]
    if not 0 < seconds <= _LONGEST_INTERVAL_S:
        raise InputError(f"every {text[:40]!r} is not a length such as 90s, 15m, 6h or 1d, at most 366d")
    return seconds


def read_schedule(job: Timing) -> Schedule | None:
    """The schedule of a stored or configured job; None where it runs on request only.

    InputError where its columns do not make one.
    """
    match job.schedule_type, job.schedule, job.interval_seconds:
        case None, _, _:
            return None
        case "cron", str(expression), _:
            return parse_cron(expression, job.time_zone)
        case "interval", _, int(seconds) if 0 < seconds <= _LONGEST_INTERVAL_S:
            return IntervalSchedule(seconds)
    raise InputError(f"schedule_type {job.schedule_type!r} with no schedule that belongs to it")


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done about a due job.

    Run it for the moment ``run_ms`` (None: not at all); it is due again at ``next_ms``, which may have come
    already. The due moments from the first to the second of ``missed`` get no run of their own.
    """

    run_ms: int | None
    next_ms: int
    missed: tuple[int, int] | None = None


def take_turn(schedule: Schedule, due_ms: int, now_ms: int, *, grace_ms: int, catch_up: bool) -> Turn:
    """Decide about the oldest due moment, ``due_ms``, at or before ``now_ms``.

    A moment at most ``grace_ms`` ago is run for. Those longer ago are missed: the next moment still within
    the grace stands for them, and where there is none, with ``catch_up``, one run for the newest of them.
    """
    late_ms = now_ms - grace_ms - 1
    if due_ms > late_ms:
        return Turn(due_ms, schedule.next_ms(due_ms))
    newest_ms = _newest_ms(schedule, due_ms, late_ms)
    following_ms = schedule.next_ms(newest_ms)
    missed = (due_ms, newest_ms)
    if following_ms <= now_ms:
        return Turn(following_ms, schedule.next_ms(following_ms), missed)
    return Turn(newest_ms if catch_up else None, following_ms, missed)


def is_far_ahead(schedule: Schedule, next_run_ms: int, now_ms: int) -> bool:
    """Whether a next run is further away than the next but one due moment: the clock was set back.

    One due moment further is no reason to count anew: it was just run for, by a process whose clock is ahead
    of ours, or by us before the clock was set a little.
    """
    return next_run_ms > schedule.next_ms(schedule.next_ms(now_ms))


def _newest_ms(schedule: Schedule, first_ms: int, until_ms: int) -> int:
    """The newest due moment up to ``until_ms``, in logarithmic time: years of minutes may lie between."""
    newest_ms, above_ms = first_ms, until_ms
    while (following_ms := schedule.next_ms(newest_ms)) <= until_ms:
        newest_ms = following_ms
        middle_ms = (newest_ms + above_ms) // 2
        if (found_ms := schedule.next_ms(middle_ms)) <= until_ms:
            newest_ms = found_ms
        else:
            above_ms = middle_ms
    return newest_ms


def _parse_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # cronsim spares itself the rules of summer time for this very object
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones, such as Europe, is an OSError
        raise InputError(
            f"time_zone {name[:60]!r} is not an IANA time zone that this machine knows, such as Europe/Berlin"
        ) from error
