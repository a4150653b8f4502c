"""What can be known of another's clock, and asking once for everyone."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.domain.errors import VenueUnavailableError
from markethub.venues.transport.server_clock import ServerClock
from markethub.venues.transport.single_flight import SingleFlight


class Venue:
    """A venue whose clock ticks ``rate`` times as fast as ours; answers take ``up_s`` and ``down_s``."""

    def __init__(self, rate: float = 1.0, up_s: float = 0.0, down_s: float = 0.0) -> None:
        self.ours_s = 5_000.0
        self.rate, self.up_s, self.down_s = rate, up_s, down_s
        self.asked = 0
        self.told: list[int] = []
        self.clock = ServerClock(self.answer, self.told.append, lambda: self.ours_s)

    @property
    def server_ms(self) -> float:
        return 1_600_000_000_000 + self.ours_s * 1000 * self.rate

    async def answer(self) -> int:
        self.asked += 1
        self.ours_s += self.up_s
        answer = int(self.server_ms)
        self.ours_s += self.down_s
        return answer


@settings(deadline=None)
@given(
    rate=st.floats(0.9995, 1.0005),
    up_s=st.floats(0, 5),
    down_s=st.floats(0, 5),
    later_s=st.lists(st.floats(0, 300), max_size=8),
)
async def test_the_bound_is_never_ahead_of_the_venue(
    rate: float, up_s: float, down_s: float, later_s: list[float]
) -> None:
    venue = Venue(rate, up_s, down_s)
    for delay_s in [0.0, *later_s]:
        venue.ours_s += delay_s
        bound_ms = await venue.clock.passed_ms(2**60)
        assert bound_ms <= venue.server_ms
        assert bound_ms >= venue.server_ms - down_s * 1000 - 60 * 2 - 10


async def test_the_venue_is_asked_only_when_that_can_help() -> None:
    venue = Venue()
    await venue.clock.passed_ms(0)
    venue.ours_s += 59
    await venue.clock.passed_ms(2**60)
    assert venue.asked == 1  # fresh enough
    venue.ours_s += 1000
    await venue.clock.passed_ms(int(venue.server_ms) - 10_000)
    assert venue.asked == 1  # long past, whatever the clock says now
    await venue.clock.passed_ms(int(venue.server_ms))
    assert venue.asked == 2
    assert venue.told[1] == int(venue.server_ms)


class Gate:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.flights = 0
        self.error: Exception | None = None

    async def fetch(self) -> int:
        self.flights += 1
        number = self.flights
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_all_who_ask_at_once_share_one_flight() -> None:
    gate = Gate()
    flight = SingleFlight(gate.fetch)
    asks = [asyncio.create_task(flight.run()) for _ in range(5)]
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*asks) == [1] * 5
    assert await flight.run() == 2


async def test_a_failure_is_shared_and_not_kept() -> None:
    gate = Gate()
    gate.error = VenueUnavailableError("away")
    gate.open.set()
    flight = SingleFlight(gate.fetch)
    results = await asyncio.gather(flight.run(), flight.run(), return_exceptions=True)
    assert [str(result) for result in results] == ["away", "away"]
    assert gate.flights == 1
    gate.error = None
    assert await flight.run() == 2


async def test_one_who_is_cancelled_leaves_the_others_alone() -> None:
    gate = Gate()
    flight = SingleFlight(gate.fetch)
    first, second = asyncio.create_task(flight.run()), asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.open.set()
    assert await second == 1


async def test_closing_ends_the_flight_for_those_who_wait() -> None:
    flight = SingleFlight(Gate().fetch)
    ask = asyncio.create_task(flight.run())
    await asyncio.sleep(0)
    await flight.close()
    await flight.close()
    with pytest.raises(VenueUnavailableError, match="closed"):
        await ask


async def test_a_bound_that_has_fallen_behind_is_measured_anew() -> None:
    venue = Venue()
    with pytest.raises(RuntimeError, match="never measured"):
        venue.clock.bound_ms()
    await venue.clock.known()
    await venue.clock.known()
    assert (venue.asked, venue.clock.bound_ms()) == (1, int(venue.server_ms))
    venue.ours_s += 59
    await venue.clock.known()
    assert venue.asked == 1
    assert 0 < venue.server_ms - venue.clock.bound_ms() < 100
    venue.ours_s += 2
    await venue.clock.known()
    assert (venue.asked, venue.clock.bound_ms()) == (2, int(venue.server_ms))
