"""The budget against a simulated venue, in simulated time."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueThrottledError
from markethub.venues.transport.budget import Reservation, WeightBudget
from tests.simulated_venue import GUARD_S, WINDOW_S, FakeTime, FakeVenue, make_budget, send

requests = st.lists(
    st.tuples(
        st.integers(1, 20),  # weight
        st.floats(0, 130),  # when it is wanted
        st.floats(0, 3),  # how long it takes to arrive
        st.floats(0, 3),  # and its answer to come back
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=80)
@given(
    requests=requests,
    limit=st.integers(20, 120),
    skew_s=st.floats(-GUARD_S * 0.99, GUARD_S * 0.99),
    start_s=st.floats(0, 60),
    connections=st.integers(1, 50),
)
async def test_the_venue_never_sees_more_than_its_limit(
    requests: list[tuple[int, float, float, float]],
    limit: int,
    skew_s: float,
    start_s: float,
    connections: int,
) -> None:
    time = FakeTime(1_700_000_000.0 + start_s)
    venue = FakeVenue(time, limit, skew_s)
    budget = make_budget(time, limit, max_in_flight=connections)
    results = await time.run(
        *(send(budget, venue, w, after_s=a, up_s=u, down_s=d) for w, a, u, d in requests)
    )
    assert all(isinstance(told, int) for told in results)
    assert venue.worst <= limit
    state = budget.state()
    assert (state.waiting, state.used <= limit) == (0, True)


@settings(deadline=None, max_examples=80)
@given(requests=requests, foreign=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 120)), max_size=20))
async def test_what_others_spend_is_learned_from_the_venues_count(
    requests: list[tuple[int, float, float, float]], foreign: list[tuple[int, float]]
) -> None:
    time = FakeTime()
    venue = FakeVenue(time, 200)
    budget = make_budget(time, 200)

    async def spend(weight: int, after_s: float) -> None:
        await time.sleep(after_s)
        venue.charge(weight)

    async def ask(weight: int, after_s: float) -> None:
        told = await send(budget, venue, weight, after_s=after_s, up_s=0, down_s=0)
        if (time.now_s - GUARD_S) // WINDOW_S == time.now_s // WINDOW_S:
            assert budget.state().used >= told

    jobs = [ask(w, a) for w, a, _, _ in requests] + [spend(w, a) for w, a in foreign]
    assert await time.run(*jobs) == [None] * len(jobs)


async def test_weight_that_others_spent_is_not_spent_again() -> None:
    time = FakeTime(1_700_000_041.0)
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100)
    venue.charge(60)
    await time.run(send(budget, venue, 1, up_s=0, down_s=0))
    assert budget.state().used == 61
    await time.run(*(send(budget, venue, 1, up_s=0.1, down_s=0.1) for _ in range(60)))
    assert sorted(venue.used.values()) == [21, 100]


@pytest.mark.parametrize("skew_s", [-0.2, 0.2])
@pytest.mark.parametrize("before_turn_s", [-0.3, -0.1, 0.1, 0.3])
async def test_around_the_turn_of_a_window_the_clocks_may_differ(skew_s: float, before_turn_s: float) -> None:
    turn_s = 1_700_000_040.0
    time = FakeTime(turn_s - 10)
    venue = FakeVenue(time, 100, skew_s)
    budget = make_budget(time, 100)
    burst = [send(budget, venue, 10, after_s=10 - before_turn_s, up_s=0, down_s=0) for _ in range(10)]
    later = [send(budget, venue, 10, after_s=10.2, up_s=0, down_s=0) for _ in range(10)]
    await time.run(*burst, *later)
    assert venue.worst <= 100


async def test_requests_under_way_count_for_both_windows() -> None:
    time = FakeTime(1_700_000_039.0)
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100)
    slow = [send(budget, venue, 10, up_s=3, down_s=3) for _ in range(10)]
    await time.run(*slow, *(send(budget, venue, 10, after_s=2, up_s=0, down_s=0) for _ in range(10)))
    assert venue.worst <= 100


async def test_a_count_from_before_the_turn_says_nothing_about_the_new_window() -> None:
    time = FakeTime(1_700_000_039.0)
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100)
    venue.charge(90)
    assert await time.run(send(budget, venue, 1, up_s=0, down_s=2)) == [91]
    assert budget.state().used == 1


async def test_a_full_budget_is_used_in_every_window() -> None:
    time = FakeTime(1_700_000_040.0 + 0.3)  # just after the turn of a minute
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100, margin=0.02)
    began_s = time.now_s
    await time.run(*(send(budget, venue, 2, up_s=0.05, down_s=0.05) for _ in range(49 * 3)))
    assert sorted(venue.used.values()) == [98, 98, 98]
    assert time.now_s - began_s < 121


async def test_first_come_first_served() -> None:
    time = FakeTime()
    budget = make_budget(time, 20)
    order: list[int] = []

    async def ask(number: int, weight: int) -> None:
        with await budget.acquire(weight, patience_s=0):
            order.append(number)

    await time.run(*(ask(number, 20 if number % 3 == 0 else 1) for number in range(12)))
    assert order == list(range(12))


async def test_a_request_above_the_whole_limit_goes_alone() -> None:
    time = FakeTime()
    venue = FakeVenue(time, 10)
    budget = make_budget(time, 10)
    await time.run(
        send(budget, venue, 1, up_s=0, down_s=0), send(budget, venue, 20, after_s=1, up_s=0, down_s=0)
    )
    assert sorted(venue.used.values()) == [1, 20]


async def test_a_pause_closes_the_gate_for_everyone() -> None:
    time = FakeTime()
    venue = FakeVenue(time, 100)
    budget = make_budget(time, None)

    async def patient(after_s: float) -> None:
        await time.sleep(after_s)
        with await budget.acquire(1, patience_s=100):
            venue.charge(1)

    async def throttle() -> None:
        await time.sleep(5)
        assert budget.throttle(30.0) == 30.0
        budget.throttle(10.0)  # a shorter one does not reopen it

    began_s = time.now_s
    await time.run(throttle(), *(patient(after_s) for after_s in range(0, 60, 3)))
    arrived = [at_s - began_s for at_s in venue.arrivals_s]
    assert not [at_s for at_s in arrived if 5 <= at_s < 35]
    assert len(arrived) == 20


async def test_whoever_has_no_patience_is_told_how_long_the_pause_is() -> None:
    time = FakeTime()
    budget = make_budget(time, 1)

    async def hold() -> None:  # uses up the window, so that the next one waits inside
        with await budget.acquire(1, patience_s=0):
            pass
        await time.sleep(1)
        budget.throttle(500.0, ban=True)

    results = await time.run(hold(), budget.acquire(1, patience_s=100), budget.acquire(1, patience_s=100))
    assert results[0] is None
    for error in results[1:]:
        assert isinstance(error, VenueThrottledError)
        assert error.retry_after_s == pytest.approx(500.0)
    state = budget.state()
    assert state.waiting == 0
    assert state.closed_until_ms == pytest.approx(time.unix_ms() + 500_000, abs=2)
    time.now_s += 501
    assert budget.state().closed_until_ms is None


async def test_throttling_without_a_time_doubles_until_the_venue_answers() -> None:
    time = FakeTime()
    budget = make_budget(time, None)
    pauses = []
    for _ in range(9):
        pauses.append(budget.throttle(None))
        assert budget.throttle(None) == pauses[-1]  # the same burst of refusals
        time.now_s += pauses[-1]
    assert pauses == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    budget.forgive()
    assert budget.throttle(None) == 2
    time.now_s += 2
    assert budget.throttle(0.0) == 1.0  # never at once


async def test_a_ban_without_a_time_lasts_minutes() -> None:
    time = FakeTime()
    budget = make_budget(time, None)
    assert budget.throttle(None) == 2
    assert budget.throttle(None, ban=True) == 240  # it is the second throttling in a row
    assert budget.throttle(None) == 240
    assert budget.state().closed_until_ms == time.unix_ms() + 240_000


async def test_a_cancelled_caller_leaves_nothing_behind() -> None:
    time = FakeTime()
    budget = make_budget(time, 10)
    waiting: list[asyncio.Task[Reservation]] = []

    async def scenario() -> None:
        with await budget.acquire(10, patience_s=0):
            waiting.extend(asyncio.create_task(budget.acquire(5, patience_s=0)) for _ in range(3))
            await time.sleep(1)
            assert budget.state().waiting == 3
            waiting[0].cancel()  # the one whose turn it is
            waiting[1].cancel()  # one behind it
            await time.sleep(1)
            assert budget.state().waiting == 1
        with await waiting[2]:
            assert budget.state().used == 5

    assert await time.run(scenario()) == [None]
    assert waiting[0].cancelled()
    assert waiting[1].cancelled()


async def test_a_cancelled_request_is_spent_and_frees_its_connection() -> None:
    time = FakeTime()
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100, max_in_flight=1)

    async def scenario() -> None:
        stuck = asyncio.create_task(send(budget, venue, 3, up_s=1000, down_s=0))
        await time.sleep(1)
        stuck.cancel()
        await send(budget, venue, 4, up_s=0, down_s=0)
        assert budget.state().used == 7

    assert await time.run(scenario()) == [None]


async def test_the_limit_follows_the_venue_but_not_above_the_cap() -> None:
    time = FakeTime()
    budget = make_budget(time, 6000, cap=500)
    assert budget.state().limit == 500
    budget.set_limit(300)
    assert budget.state().limit == 300
    budget.set_limit(9000)
    assert budget.state().limit == 500


async def test_a_raised_limit_lets_the_waiting_go_on() -> None:
    time = FakeTime()
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 10)

    async def raise_limit() -> None:
        await time.sleep(1)
        budget.set_limit(100)

    began_s = time.now_s
    await time.run(raise_limit(), *(send(budget, venue, 10, up_s=0, down_s=0) for _ in range(3)))
    assert time.now_s - began_s == pytest.approx(1)


@pytest.mark.parametrize("error_s", [-7200.0, 7200.0, 20.0, -20.0])
async def test_a_wall_clock_that_is_wrong_is_put_right_by_the_venues(error_s: float) -> None:
    time = FakeTime(1_700_000_040.0 + 10)
    venue = FakeVenue(time, 100)
    budget = WeightBudget(
        "TST",
        limit=100,
        max_in_flight=100,
        monotonic=time.monotonic,
        clock=lambda: time.unix_ms() + round(error_s * 1000),
        wait=time.wait,
    )

    async def scenario() -> None:
        await send(budget, venue, 1, up_s=0, down_s=0)
        budget.sync(time.unix_ms())
        for _ in range(3):
            await asyncio.gather(*(send(budget, venue, 10, up_s=0, down_s=0) for _ in range(25)))

    began_s = time.now_s
    assert await time.run(scenario()) == [None]
    assert venue.worst <= 100
    assert time.now_s - began_s < 60 * 9


async def test_a_reading_of_the_clock_that_came_late_is_not_believed() -> None:
    turn_s = 1_700_000_040.0
    time = FakeTime(turn_s - 30)
    venue = FakeVenue(time, 100)
    budget = make_budget(time, 100)

    async def scenario() -> None:
        budget.sync(time.unix_ms())
        await time.sleep(10)
        budget.sync(time.unix_ms() - 1_500)
        await send(budget, venue, 10, up_s=0, down_s=0)
        await time.sleep(turn_s + GUARD_S + 0.1 - time.now_s)
        assert budget.state().used == 0
        budget.sync(time.unix_ms() - 30_000)  # so late is no answer: the clock was set
        await send(budget, venue, 10, up_s=0, down_s=0)
        await time.sleep(60 + 29 - 1)
        assert budget.state().used == 10
        await time.sleep(3)
        assert budget.state().used == 0

    assert await time.run(scenario()) == [None]


async def test_a_budget_without_limit_still_limits_what_is_in_flight() -> None:
    time = FakeTime()
    venue = FakeVenue(time, 0)
    budget = make_budget(time, None, max_in_flight=4)
    busy = most = 0

    async def ask() -> None:
        nonlocal busy, most
        with await budget.acquire(1, patience_s=0):
            busy += 1
            most = max(most, busy)
            await venue.time.sleep(1)
            busy -= 1

    await time.run(*(ask() for _ in range(20)))
    assert most == 4
