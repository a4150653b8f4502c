"""When jobs are due, and what becomes of late runs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import InputError
from markethub.domain.times import parse_time, to_ms
from markethub.engine.schedules import (
    CronSchedule,
    IntervalSchedule,
    Schedule,
    is_far_ahead,
    parse_cron,
    parse_every,
    read_schedule,
    take_turn,
)
from tests.engine.calendar_model import cron_moments, interval_moments

HOUR_MS = 3_600_000


def due_times(schedule: Schedule, start: str, count: int, zone: str = "UTC") -> list[str]:
    """Local times of the next ``count`` due moments."""
    after_ms, told = parse_time(start), []
    for _ in range(count):
        after_ms = schedule.next_ms(after_ms)
        moment = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        told.append(moment.strftime("%m-%d %H:%M %z"))
    return told


def test_cron_by_the_fields() -> None:
    assert due_times(parse_cron("*/20 9-10 * * mon"), "2026-03-02T09:30:00Z", 4) == [
        "03-02 09:40 +0000", "03-02 10:00 +0000", "03-02 10:20 +0000", "03-02 10:40 +0000",
    ]  # fmt: skip
    assert due_times(parse_cron("  0   0 L  *  * "), "2026-02-01T00:00:00Z", 2) == [
        "02-28 00:00 +0000", "03-31 00:00 +0000",
    ]  # fmt: skip
    assert due_times(parse_cron("0 0 29 2 *"), "2026-01-01T00:00:00Z", 1) == ["02-29 00:00 +0000"]


@pytest.mark.parametrize("schedule", [parse_cron("0 * * * *"), IntervalSchedule(3600)])
def test_a_due_moment_is_after_and_never_at(schedule: Schedule) -> None:
    asked = [0, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1]
    assert [schedule.next_ms(ms) for ms in asked] == [HOUR_MS, HOUR_MS, 2 * HOUR_MS, 2 * HOUR_MS]


def test_a_time_of_day_that_is_left_out_is_due_after_the_gap() -> None:
    berlin = parse_cron("30 2 * * *", "Europe/Berlin")
    assert due_times(berlin, "2026-03-28T00:00:00Z", 3, "Europe/Berlin") == [
        "03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200",
    ]  # fmt: skip


def test_a_time_of_day_that_comes_twice_is_due_once() -> None:
    berlin = parse_cron("30 2 * * *", "Europe/Berlin")
    assert due_times(berlin, "2026-10-24T12:00:00Z", 2, "Europe/Berlin") == [
        "10-25 02:30 +0200", "10-26 02:30 +0100",
    ]  # fmt: skip
    # asked within the second hour of that name, the first of which has passed
    assert due_times(berlin, "2026-10-25T01:10:00Z", 1, "Europe/Berlin") == ["10-26 02:30 +0100"]


def test_a_schedule_by_the_hour_goes_on_through_both() -> None:
    hourly = parse_cron("30 * * * *", "America/New_York")
    assert due_times(hourly, "2026-11-01T05:00:00Z", 3, "America/New_York") == [
        "11-01 01:30 -0400", "11-01 01:30 -0500", "11-01 02:30 -0500",
    ]  # fmt: skip
    assert due_times(hourly, "2026-03-08T06:00:00Z", 2, "America/New_York") == [
        "03-08 01:30 -0500", "03-08 03:30 -0400",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 * * * *", "UTC"),
        ("*/7 5,17 * * *", "Asia/Kathmandu"),
        ("15,45 */2 * * *", "America/New_York"),
        ("30 2 * * *", "Europe/Berlin"),
        ("10-50/20 1-3 * * *", "America/New_York"),
        ("0 2 * * SUN", "Australia/Sydney"),
        ("5 0 1,15 * MON", "Europe/London"),
        ("0 12 */5 * *", "Asia/Tokyo"),
    ],
)
def test_cron_against_every_minute_of_two_months(expression: str, zone: str) -> None:
    start_ms, end_ms = parse_time("2026-03-01T00:00:00Z"), parse_time("2026-04-20T00:00:00Z")
    schedule, after_ms, found = parse_cron(expression, zone), start_ms, []
    while (after_ms := schedule.next_ms(after_ms)) <= end_ms:
        found.append(after_ms)
    assert found == cron_moments(expression, zone, start_ms, end_ms)


@given(st.integers(1, 400_000), st.integers(0, 2_000_000_000_000))
def test_intervals_lie_on_one_grid(seconds: int, after_ms: int) -> None:
    schedule = IntervalSchedule(seconds)
    due_ms = schedule.next_ms(after_ms)
    assert [due_ms] == interval_moments(seconds, after_ms, after_ms + seconds * 1000)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("61 * * * *", "bad minute"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("@hourly", "five fields"),
        ("", "five fields"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("* * * * FUN", "bad day-of-week"),
        ("1/0 * * * *", "bad minute"),
        ("٣ * * * *", "bad minute"),
        (f"{'1,' * 150}1 * * * *", "five fields"),
    ],
)
def test_what_is_no_cron_expression(expression: str, told: str) -> None:
    with pytest.raises(InputError, match=f"^cron .*{told}"):
        parse_cron(expression)


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "", "../../etc/passwd", "utc ", "\ud800", "x\0"])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(InputError, match=r"^time_zone .* is not an IANA time zone"):
        parse_cron("0 0 * * *", zone)


@given(st.text(alphabet="0123456789*/,-#LWMONJANSUt ", max_size=30))
def test_any_text_is_a_cron_expression_or_an_input_error(text: str) -> None:
    try:
        schedule = parse_cron(text, "Europe/Berlin")
    except InputError:
        return
    assert schedule.next_ms(schedule.next_ms(0)) > 0


def test_lengths_of_time() -> None:
    told = {text: parse_every(text) for text in ("1s", "90s", "15m", "6h", "1d", "366d")}
    assert list(told.values()) == [1, 90, 900, 21_600, 86_400, 366 * 86_400]
    for text in ("", "0s", "s", "-5s", "1.5h", "5", "5 m", "5w", "367d", "9" * 30 + "s", "1h30m"):
        with pytest.raises(InputError, match=r"^every .* is not a length such as 90s"):
            parse_every(text)


@dataclass
class Row:
    schedule_type: str | None
    schedule: str | None = None
    interval_seconds: int | None = None
    time_zone: str | None = None


def test_schedules_of_stored_jobs() -> None:
    assert read_schedule(Row(None)) is None
    assert read_schedule(Row("cron", "0 * * * *")) == CronSchedule("0 * * * *", UTC)
    berlin = read_schedule(Row("cron", "0 * * * *", time_zone="Europe/Berlin"))
    assert berlin == CronSchedule("0 * * * *", ZoneInfo("Europe/Berlin"))
    assert read_schedule(Row("interval", None, 90)) == IntervalSchedule(90)
    for row in (Row("cron"), Row("interval"), Row("interval", None, 0), Row("yearly", "0 0 * * *")):
        with pytest.raises(InputError):
            read_schedule(row)


def turns_until(schedule: Schedule, due_ms: int, now_ms: int, grace_ms: int, catch_up: bool) -> tuple[
    list[int], list[tuple[int, int]], int
]:  # fmt: skip
    """What all turns of one look run for, what they leave out, and what is next."""
    runs, missed = [], []
    while due_ms <= now_ms:
        turn = take_turn(schedule, due_ms, now_ms, grace_ms=grace_ms, catch_up=catch_up)
        runs += [] if turn.run_ms is None else [turn.run_ms]
        missed += [] if turn.missed is None else [turn.missed]
        assert turn.next_ms > due_ms
        due_ms = turn.next_ms
    return runs, missed, due_ms


@given(
    st.sampled_from(
        [IntervalSchedule(60), IntervalSchedule(3600), parse_cron("*/10 3-5 * * *", "Asia/Tokyo")]
    ),
    st.integers(0, 10**12),
    st.integers(0, 40 * HOUR_MS),
    st.integers(0, 20_000_000),
    st.booleans(),
)
def test_turns_against_all_moments_laid_out(
    schedule: Schedule, start_ms: int, late_ms: int, grace_ms: int, catch_up: bool
) -> None:
    due_ms = schedule.next_ms(start_ms)
    now_ms, moments = due_ms + late_ms, [due_ms]
    while (following_ms := schedule.next_ms(moments[-1])) <= now_ms:
        moments.append(following_ms)
    in_time = [ms for ms in moments if now_ms - ms <= grace_ms]
    gone = [ms for ms in moments if now_ms - ms > grace_ms]
    runs, missed, next_ms = turns_until(schedule, due_ms, now_ms, grace_ms, catch_up)
    assert runs == (in_time or (gone[-1:] if catch_up else []))
    assert missed == ([(gone[0], gone[-1])] if gone else [])
    assert next_ms == following_ms


def test_years_of_missed_minutes_cost_little() -> None:
    asked = 0

    class Counted:
        def next_ms(self, after_ms: int) -> int:
            nonlocal asked
            asked += 1
            return IntervalSchedule(60).next_ms(after_ms)

    now_ms = to_ms(datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC))
    turn = take_turn(Counted(), 60_000, now_ms, grace_ms=0, catch_up=True)
    assert (turn.run_ms, turn.next_ms) == (now_ms - 30_000, now_ms + 30_000)
    assert turn.missed == (60_000, now_ms - 30_000)
    assert asked < 200


def test_how_far_ahead_a_next_run_may_be() -> None:
    hourly, now_ms = IntervalSchedule(3600), 10 * HOUR_MS + 5
    assert not is_far_ahead(hourly, 11 * HOUR_MS, now_ms)
    assert not is_far_ahead(hourly, 12 * HOUR_MS, now_ms)  # 11 o'clock was run for by a faster clock
    assert is_far_ahead(hourly, 13 * HOUR_MS, now_ms)
