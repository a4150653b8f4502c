"""Several processes that share a budget, against a simulated venue in simulated time."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from markethub.domain.errors import UnavailableError, VenueThrottledError
from markethub.ports.budget import Grant
from markethub.venues.transport.budget import WeightBudget
from tests.own_logs import own_logs
from tests.simulated_venue import GUARD_S, WINDOW_S, FakeTime, FakeVenue, send

START_S = 1_700_000_040.0 + 0.3  # just after the turn of a minute


@dataclass
class Ledger:
    """What the processes' pools have in common."""

    used: Counter[int] = field(default_factory=Counter)
    seen: dict[int, set[int]] = field(default_factory=dict)
    gate: tuple[int, bool] | None = None
    is_away: bool = False
    takes: int = 0
    looks: int = 0


class SimulatedPool:
    """One process's BudgetPool; every answer takes two milliseconds."""

    def __init__(self, ledger: Ledger, time: FakeTime) -> None:
        self.ledger, self.time = ledger, time

    async def take(self, budget: str, window: int, weight: int, limit: int) -> Grant:
        await self._answer()
        ledger = self.ledger
        ledger.takes += 1
        ledger.seen.setdefault(window, set()).add(id(self))
        granted = max(min(weight, limit - ledger.used[window]), 0)
        ledger.used[window] += granted
        sharers = set[int]().union(*(ledger.seen.get(window + step, set()) for step in (-1, 0, 1)))
        until_ms, is_ban = ledger.gate or (None, False)
        return Grant(granted, ledger.used[window], until_ms, is_ban, len(sharers))

    async def close_gate(self, budget: str, until_ms: int, *, is_ban: bool) -> None:
        await self._answer()
        self.ledger.gate = (until_ms, is_ban)

    async def closed_until(self, budget: str) -> tuple[int, bool] | None:
        await self._answer()
        self.ledger.looks += 1
        return self.ledger.gate

    async def _answer(self) -> None:
        await self.time.sleep(0.002)
        if self.ledger.is_away:
            raise UnavailableError("the database is away")


def make_process(
    time: FakeTime,
    ledger: Ledger,
    limit: int | None,
    skew_s: float = 0.0,
    **settings: Any,  # noqa: ANN401
) -> WeightBudget:
    return WeightBudget(
        "TST",
        limit=limit,
        **({"max_in_flight": 1000} | settings),
        pool=SimulatedPool(ledger, time),
        guard_s=GUARD_S,
        monotonic=time.monotonic,
        clock=lambda: time.unix_ms() + round(skew_s * 1000),
        wait=time.wait,
    )


requests = st.lists(
    st.tuples(
        st.integers(0, 2),  # which process
        st.integers(1, 20),  # weight
        st.floats(0, 130),  # when it is wanted
        st.floats(0, GUARD_S),  # how long it takes to arrive
        st.floats(0, 3),  # and its answer to come back
    ),
    min_size=1,
    max_size=40,
)


# Two that have not met yet, just after a minute's turn: to the first one the window before it still lasts.
@example(
    requests=[(0, 20, 0.0, 0.0, 0.0), (1, 1, 0.0, 0.0, 0.0)],
    limit=20,
    skews_s=(0.0, 0.0, 0.0),
    start_s=40.0,
)
@settings(max_examples=100)
@given(
    requests=requests,
    limit=st.integers(20, 120),
    skews_s=st.tuples(*[st.floats(-GUARD_S * 0.49, GUARD_S * 0.49)] * 3),
    start_s=st.floats(0, 60),
)
async def test_together_they_never_spend_more_than_the_limit(
    requests: list[tuple[int, int, float, float, float]],
    limit: int,
    skews_s: tuple[float, ...],
    start_s: float,
) -> None:
    time = FakeTime(1_700_000_000.0 + start_s)
    venue = FakeVenue(time, limit)
    ledger = Ledger()
    fleet = [make_process(time, ledger, limit, skew_s) for skew_s in skews_s]
    results = await time.run(
        *(send(fleet[p], venue, w, after_s=a, up_s=u, down_s=d) for p, w, a, u, d in requests)
    )
    assert all(isinstance(told, int) for told in results)
    assert venue.worst <= limit
    assert max(ledger.used.values()) <= limit
    assert {budget.state().waiting for budget in fleet} == {0}


@pytest.mark.parametrize("skew_s", [-0.1, 0.1])
@pytest.mark.parametrize("before_turn_s", [-0.4, -0.2, 0.0, 0.2, 0.4])
async def test_a_burst_around_the_turn_does_not_meet_that_of_another_process(
    skew_s: float, before_turn_s: float
) -> None:
    turn_s = 1_700_000_040.0
    time = FakeTime(turn_s - 70)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    one, other = make_process(time, ledger, 100), make_process(time, ledger, 100, skew_s)
    known = [send(budget, venue, 1, up_s=0, down_s=0) for budget in (one, other)]  # they know of each other
    burst = [send(one, venue, 10, after_s=70 - before_turn_s, up_s=0, down_s=0) for _ in range(10)]
    later = [send(other, venue, 10, after_s=70.2, up_s=0, down_s=0) for _ in range(20)]
    await time.run(*known, *burst, *later)
    assert venue.worst <= 100


async def work(
    budget: WeightBudget, venue: FakeVenue, until_s: float, spent: Counter[Any], number: int
) -> None:
    """Ask one thing after the other, each a tenth of a second."""
    while venue.time.now_s < until_s:
        await send(budget, venue, 2, up_s=0.05, down_s=0.05)
        spent[number, int(venue.time.now_s // WINDOW_S)] += 2


def full_windows(venue: FakeVenue) -> list[int]:
    """What was used in the windows between the first and the last."""
    return [used for _, used in sorted(venue.used.items())][1:-1]


@pytest.mark.parametrize("processes", [1, 2, 3])
async def test_busy_processes_use_the_whole_budget_and_share_it_equally(processes: int) -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 1000)
    ledger = Ledger()
    fleet = [make_process(time, ledger, 1000) for _ in range(processes)]
    spent = Counter[Any]()
    workers = [
        work(budget, venue, START_S + 299, spent, number)
        for number, budget in enumerate(fleet)
        for _ in range(8 * (number + 1))  # the later ones want more
    ]
    assert set(await time.run(*workers)) == {None}
    assert venue.worst <= 1000
    assert min(full_windows(venue)) >= 980
    middle = int(START_S // WINDOW_S) + 2
    shares = [spent[number, middle] for number in range(processes)]
    assert max(shares) - min(shares) <= 0.1 * 1000, shares
    assert ledger.takes <= 20 * processes * len(venue.used)


async def test_what_others_leave_is_used_from_the_middle_of_the_window_on() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 1000)
    ledger = Ledger()
    busy, idle = make_process(time, ledger, 1000), make_process(time, ledger, 1000)
    spent = Counter[Any]()

    async def ask_now_and_then() -> None:
        for _ in range(30):
            await send(idle, venue, 2, up_s=0, down_s=0)
            await time.sleep(10)

    workers = [work(busy, venue, START_S + 299, spent, 0) for _ in range(16)]
    await time.run(*workers, ask_now_and_then())
    assert min(full_windows(venue)) >= 980
    assert ledger.takes <= 150


async def test_a_newcomer_finds_something_left_and_its_part_in_the_next_window() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 1000)
    ledger = Ledger()
    spent = Counter[Any]()
    old = make_process(time, ledger, 1000)
    new = make_process(time, ledger, 1000)

    async def come_later() -> None:
        await time.sleep(62)
        began_s = time.now_s
        await send(new, venue, 2, up_s=0, down_s=0)
        assert time.now_s - began_s < 1
        await asyncio.gather(*(work(new, venue, START_S + 299, spent, 1) for _ in range(16)))

    assert set(
        await time.run(*(work(old, venue, START_S + 299, spent, 0) for _ in range(16)), come_later())
    ) == {None}
    third = int(START_S // WINDOW_S) + 3
    assert abs(spent[0, third] - spent[1, third]) <= 100
    assert venue.worst <= 1000


async def test_an_uncontended_process_asks_the_pool_once_a_second_at_most() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 6000)
    ledger = Ledger()
    budget = make_process(time, ledger, 6000)
    await time.run(work(budget, venue, START_S + 50, Counter(), 0))
    assert ledger.takes <= 12  # in blocks that double
    assert ledger.looks <= 51


async def test_a_pause_is_seen_by_others_within_a_second() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 6000)
    ledger = Ledger()
    one, other = make_process(time, ledger, 6000), make_process(time, ledger, 6000)
    told_s = 0.0

    async def throttle() -> None:
        nonlocal told_s
        await time.sleep(5)
        one.throttle(20.0, ban=True)
        await one.publish()
        told_s = time.now_s

    async def patient(budget: WeightBudget, after_s: float) -> None:
        await time.sleep(after_s)
        with await budget.acquire(1, patience_s=100):
            venue.charge(1)

    await time.run(
        throttle(), *(patient(budget, at_s / 10) for at_s in range(300) for budget in (one, other))
    )
    assert not [at_s for at_s in venue.arrivals_s if told_s + 1.01 < at_s < told_s + 19.9]
    assert len(venue.arrivals_s) == 600


async def test_a_process_that_starts_during_a_ban_sends_nothing() -> None:
    time = FakeTime(START_S)
    ledger = Ledger()
    one, late = make_process(time, ledger, None), make_process(time, ledger, None)

    async def scenario() -> None:
        one.throttle(500.0, ban=True)
        await one.publish()
        with pytest.raises(VenueThrottledError) as caught:
            await late.acquire(1, patience_s=100)
        assert caught.value.retry_after_s == pytest.approx(500, abs=0.01)
        state = late.state()
        assert state.is_banned
        assert state.closed_until_ms == ledger.gate[0] if ledger.gate else False

    assert await time.run(scenario()) == [None]


async def test_a_pause_that_could_not_be_told_is_told_when_the_pool_is_back() -> None:
    time = FakeTime(START_S)
    ledger = Ledger(is_away=True)
    budget = make_process(time, ledger, 100)

    async def scenario() -> None:
        budget.throttle(30.0)
        await budget.publish()
        assert ledger.gate is None
        ledger.is_away = False
        with await budget.acquire(1, patience_s=60):
            pass
        assert ledger.gate == (round((START_S + 30) * 1000), False)

    with capture_logs():
        results = await time.run(scenario())
    assert results == [None]


async def test_without_the_pool_each_goes_on_with_its_usual_part() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 1000)
    ledger = Ledger()
    fleet = [make_process(time, ledger, 1000) for _ in range(2)]
    spent = Counter[Any]()

    async def lose_the_pool() -> None:
        await time.sleep(130)
        ledger.is_away = True
        await time.sleep(120)
        ledger.is_away = False

    workers = [
        work(budget, venue, START_S + 400, spent, number)
        for number, budget in enumerate(fleet)
        for _ in range(10)
    ]
    with own_logs() as logs:
        results = await time.run(lose_the_pool(), *workers)
    assert set(results) == {None}
    assert venue.worst <= 1000
    assert min(full_windows(venue)) >= 900
    events = Counter(line["event"].split(";")[0] for line in logs)
    assert events == {"budget cannot be shared now": 2, "budget is shared again": 2}


async def test_a_process_that_never_reached_the_pool_spends_little_but_does_not_hang() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 160)
    ledger = Ledger(is_away=True)
    budget = make_process(time, ledger, 160)
    with capture_logs():
        await time.run(*(send(budget, venue, 2, up_s=0, down_s=0) for _ in range(20)))
        await time.run(send(budget, venue, 50, up_s=0, down_s=0))  # more than the part: alone in its window
    assert max(list(venue.used.values())[:4]) <= 10
    assert sum(venue.used.values()) == 90


async def test_a_window_divided_without_the_pool_stays_so_and_is_told_when_it_is_back() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 160)
    ledger = Ledger(is_away=True)
    budget = make_process(time, ledger, 160)

    async def return_soon() -> None:
        await time.sleep(5)
        ledger.is_away = False

    with capture_logs():
        await time.run(return_soon(), *(send(budget, venue, 2, up_s=0, down_s=0) for _ in range(20)))
    first = int(START_S // WINDOW_S)
    assert venue.used == {first: 10, first + 1: 30}
    assert ledger.used[first] == 10


async def test_what_strangers_spend_is_not_promised_to_anyone() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    budget = make_process(time, ledger, 100)
    venue.charge(60)
    for _ in range(20):
        await time.run(send(budget, venue, 2, up_s=0, down_s=0))
    assert venue.worst == 100
    assert ledger.used[int(START_S // WINDOW_S)] == 40


async def test_what_strangers_spend_is_not_spent_again() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    budget = make_process(time, ledger, 100)
    venue.charge(60)
    await time.run(send(budget, venue, 2, up_s=0, down_s=0))
    await time.run(*(send(budget, venue, 2, up_s=0.1, down_s=0.1) for _ in range(30)))
    assert venue.worst <= 100
    assert sorted(venue.used.values()) == [22, 100]


async def test_a_raised_limit_is_asked_for() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    one, other = make_process(time, ledger, 10), make_process(time, ledger, 10)
    await time.run(send(other, venue, 10, up_s=0, down_s=0))

    async def raise_limit() -> None:
        await time.sleep(1)
        assert one.state().waiting == 3
        one.set_limit(100)

    await time.run(raise_limit(), *(send(one, venue, 10, up_s=0, down_s=0) for _ in range(3)))
    assert time.now_s - START_S < 2
    assert one.state().fleet_used == 40


async def test_requests_under_way_at_the_turn_are_told_to_the_others() -> None:
    time = FakeTime(1_700_000_040.0 - 10)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    one, other = make_process(time, ledger, 100), make_process(time, ledger, 100)
    await time.run(*(send(budget, venue, 1, up_s=0, down_s=0) for budget in (other, one)))
    slow = [send(one, venue, 9, after_s=5, up_s=6, down_s=1) for _ in range(5)]  # arrive after the turn
    await time.run(*slow)
    await time.run(time.sleep(1))
    (now,) = [number for number in ledger.used if number == 1_700_000_040 // 60]
    assert ledger.used[now] == 45
    assert await time.run(*(send(other, venue, 5, up_s=0, down_s=0) for _ in range(20)))
    assert venue.worst <= 100


async def test_the_state_tells_what_the_fleet_used() -> None:
    time = FakeTime(START_S)
    venue = FakeVenue(time, 100)
    ledger = Ledger()
    one, other = make_process(time, ledger, 100), make_process(time, ledger, 100)
    assert one.state().fleet_used is None
    await time.run(send(one, venue, 10, up_s=0, down_s=0))
    await time.run(send(other, venue, 20, up_s=0, down_s=0))
    state = other.state()
    assert state.fleet_used == 30
    assert state.used == 30  # by the venue's own count
