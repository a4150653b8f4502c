"""Ways through a ledger whose venue plays by its rules, bends them, or breaks them."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.domain.errors import VenueProtocolError
from markethub.domain.span import Span
from markethub.venues.okx.ledger_entries import Entry
from markethub.venues.okx.ledger_walks import (
    DISORDER_MS,
    BillWalk,
    Cursor,
    IdWalk,
    TimeWalk,
    Walk,
    find_older,
    read_id,
)
from markethub.venues.okx.limits import LEDGER_ROWS

START = 1_700_000_000_000
SPAN = Span(START, START + 100_000_000)
Spoil = Callable[[int, list[Entry]], list[Entry]]


def entry(number: int, time_ms: int) -> Entry:
    return Entry(str(number), time_ms, time_ms, {})


class FakeLedger:
    """Pages by the documented rules; ``spoil`` is given each page with its number to do what it likes."""

    def __init__(
        self, entries: Sequence[Entry], *, swapped: bool = False, spoil: Spoil | None = None
    ) -> None:
        self.entries = list(entries)
        self.questions: list[Cursor] = []
        self._swapped = swapped
        self._spoil = spoil

    async def by_id(self, cursor: Cursor) -> list[Entry]:
        return self._page(cursor, lambda one: int(one.id))

    async def by_time(self, cursor: Cursor) -> list[Entry]:
        if self._swapped:
            other = {"after": "before", "before": "after"}
            cursor = {other.get(name, name): value for name, value in cursor.items()}
        return self._page(cursor, lambda one: one.paged_ms)

    async def bills(self, cursor: Cursor) -> list[Entry]:
        return await (self.by_time if cursor["pagingType"] == 1 else self.by_id)(cursor)

    def _page(self, cursor: Cursor, position: Callable[[Entry], int]) -> list[Entry]:
        self.questions.append(cursor)
        after, before = int(cursor.get("after", 10**40)), int(cursor.get("before", -1))
        fitting = [one for one in self.entries if before < position(one) < after]
        page = sorted(fitting, key=position, reverse=True)[:LEDGER_ROWS]
        return self._spoil(len(self.questions), page) if self._spoil else page


async def walk_through(walk: Walk, at_most: int = 1_000) -> list[Entry]:
    found: list[Entry] = []
    for _ in range(at_most):
        if walk.is_done:
            return found
        found += await walk.next_page()
        assert SPAN.start_ms <= walk.complete_ms <= SPAN.end_ms
    raise AssertionError("the walk did not end")


def begin(walk_type: str, ledger: FakeLedger) -> Walk:
    walks: dict[str, Walk] = {
        "id": IdWalk(ledger.by_id, SPAN, "walk"),
        "time": TimeWalk(ledger.by_time, SPAN, "walk"),
        "bill": BillWalk(ledger.bills, SPAN, "walk"),
    }
    return walks[walk_type]


def ids(entries: Sequence[Entry]) -> list[int]:
    return sorted(int(one.id) for one in entries)


def spread(count: int, *, seed: int = 1) -> list[Entry]:
    """Records with ascending ids whose times are in about that order, many in one millisecond."""
    dice = random.Random(seed)
    times = sorted(dice.randrange(SPAN.start_ms, SPAN.end_ms, 997) // 5_000 * 5_000 for _ in range(count))
    return [entry(10**18 + number * 7, time_ms) for number, time_ms in enumerate(times)]


async def test_an_id_walk_ends_at_an_empty_page_not_at_a_short_one() -> None:
    ledger = FakeLedger(spread(250), spoil=lambda _, page: page[:30])
    found = await walk_through(IdWalk(ledger.by_id, SPAN, "walk"))
    assert ids(found) == ids(ledger.entries)
    assert len(ledger.questions) == 10  # 8 of 30, one of 10, one empty
    assert ledger.questions[0] == {}


async def test_fills_of_one_millisecond_are_paged_by_id() -> None:
    ledger = FakeLedger([entry(number, START + 5) for number in range(1, 731)])
    assert ids(await walk_through(IdWalk(ledger.by_id, SPAN, "walk"))) == list(range(1, 731))


async def test_a_page_out_of_order_loses_nothing() -> None:
    def shuffle(number: int, page: list[Entry]) -> list[Entry]:
        return random.Random(number).sample(page, len(page))

    ledger = FakeLedger(spread(550), spoil=shuffle)
    assert ids(await walk_through(IdWalk(ledger.by_id, SPAN, "walk"))) == ids(ledger.entries)


async def test_pages_that_overlap_give_no_record_twice() -> None:
    everything = spread(550)

    def overlap(number: int, page: list[Entry]) -> list[Entry]:
        if number == 1 or not page:
            return page
        newer = [one for one in everything if int(one.id) > int(page[0].id)]
        return [*newer[1::-1], *page]

    ledger = FakeLedger(everything, spoil=overlap)
    found = await walk_through(IdWalk(ledger.by_id, SPAN, "walk"))
    assert ids(found) == ids(everything)


@pytest.mark.parametrize("walk_type", ["id", "time", "bill"])
async def test_a_duplicated_page_is_an_error_and_no_endless_loop(walk_type: str) -> None:
    last: list[Entry] = []

    def repeat(number: int, page: list[Entry]) -> list[Entry]:
        if number == 4:
            return last
        last[:] = page
        return page

    ledger = FakeLedger(spread(800), spoil=repeat)
    walk = begin(walk_type, ledger)
    with pytest.raises(VenueProtocolError, match=r"^walk: "):
        await walk_through(walk)


@pytest.mark.parametrize("walk_type", ["id", "time", "bill"])
async def test_a_cursor_without_effect_is_an_error_and_no_endless_loop(walk_type: str) -> None:
    newest = sorted(spread(800), key=lambda one: one.paged_ms, reverse=True)[:100]
    ledger = FakeLedger([], spoil=lambda _, __: newest)
    walk = begin(walk_type, ledger)
    with pytest.raises(VenueProtocolError, match=r"^walk: "):
        await walk_through(walk)


async def test_a_walk_by_id_ends_where_the_records_become_too_old() -> None:
    ledger = FakeLedger(spread(800))
    floor_ms = SPAN.start_ms + SPAN.width_ms // 2
    found = await walk_through(IdWalk(ledger.by_id, SPAN, "walk", floor_ms=floor_ms))
    newest = [one for one in ledger.entries if one.paged_ms >= floor_ms]
    assert set(ids(newest)) <= set(ids(found))
    assert len(ledger.questions) == len(newest) // 100 + 1


async def test_an_id_walk_is_complete_only_behind_what_may_be_out_of_order() -> None:
    ledger = FakeLedger(spread(250))
    walk = IdWalk(ledger.by_id, SPAN, "walk")
    page = await walk.next_page()
    assert walk.complete_ms == min(one.paged_ms for one in page) + DISORDER_MS
    await walk_through(walk)
    assert walk.complete_ms == SPAN.start_ms


@pytest.mark.parametrize("name", ["TRADE1", "-5", "1.5", "", "٣", "1" * 31])
def test_an_id_that_is_no_number_is_no_cursor(name: str) -> None:
    with pytest.raises(VenueProtocolError, match=r"^walk: id"):
        read_id(Entry(name, START, START, {}), "walk")


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("newer", [0, 1, 100, 350])
@pytest.mark.parametrize("inside", [0, 1, 99, 100, 101, 350])
@pytest.mark.parametrize("older", [0, 1, 150])
async def test_either_reading_of_time_cursors_loses_nothing(
    swapped: bool, newer: int, inside: int, older: int
) -> None:
    dice = random.Random(inside)

    def at(first_ms: int, end_ms: int, count: int) -> list[int]:
        # Ten records to a time, so that pages end inside of one.
        return [dice.randrange(first_ms, end_ms, max((end_ms - first_ms) // (count // 10 + 1), 1))
                for _ in range(count)]  # fmt: skip

    times = at(SPAN.end_ms, SPAN.end_ms + 10_000_000, newer)
    times += at(SPAN.start_ms, SPAN.end_ms, inside) + at(SPAN.start_ms - 10_000_000, SPAN.start_ms, older)
    numbers = dice.sample(range(10_000), len(times))  # ids in no order at all
    ledger = FakeLedger([entry(*pair) for pair in zip(numbers, times, strict=True)], swapped=swapped)
    walk = TimeWalk(ledger.by_time, SPAN, "walk")
    found = await walk_through(walk)
    assert ids([one for one in found if one.paged_ms in SPAN]) == ids(
        [one for one in ledger.entries if one.paged_ms in SPAN]
    )
    assert len(ids(found)) == len(set(ids(found)))
    assert walk.complete_ms == SPAN.start_ms


async def test_two_records_of_one_millisecond_across_a_page_edge_both_arrive() -> None:
    times = [START + 1_000_000 - at for at in range(99)] + [START + 500, START + 500, START + 400]
    ledger = FakeLedger([entry(number, time_ms) for number, time_ms in enumerate(times)])
    walk = TimeWalk(ledger.by_time, SPAN, "walk")
    first = await walk.next_page()
    assert len(first) == 100
    assert walk.complete_ms == START + 501  # its own millisecond is not complete yet
    assert ids(first + await walk_through(walk)) == list(range(102))


async def test_more_than_a_page_in_one_millisecond_cannot_be_told_and_is_an_error() -> None:
    ledger = FakeLedger([entry(number, START + 7) for number in range(101)])
    with pytest.raises(VenueProtocolError, match="a whole page"):
        await walk_through(TimeWalk(ledger.by_time, SPAN, "walk"))
    ledger = FakeLedger([entry(number, START + 7) for number in range(99)])
    assert len(await walk_through(TimeWalk(ledger.by_time, SPAN, "walk"))) == 99


async def test_a_time_walk_believes_in_the_end_only_when_asked_twice() -> None:
    # A page that was cut down to the records that are known already.
    def cut(number: int, page: list[Entry]) -> list[Entry]:
        return page[:1] if number == 2 else page

    times = [START + 1_000_000 - at for at in range(250)]
    ledger = FakeLedger([entry(number, time_ms) for number, time_ms in enumerate(times)], spoil=cut)
    assert ids(await walk_through(TimeWalk(ledger.by_time, SPAN, "walk"))) == list(range(250))


async def test_a_page_that_lacks_the_records_it_must_begin_with_is_an_error() -> None:
    ledger = FakeLedger(spread(300), spoil=lambda number, page: page[5:] if number == 2 else page)
    with pytest.raises(VenueProtocolError, match="begins not at"):
        await walk_through(TimeWalk(ledger.by_time, SPAN, "walk"))


@pytest.mark.parametrize(
    ("after", "newest", "before"),
    [
        ([1], [], [1]),  # both show what is newer
        ([1, -1], [], [-1, 1]),  # both show anything
        ([], [1, -1], []),  # there is something older, and none shows it
        ([], [-1], [1]),
    ],
)
async def test_cursors_of_which_none_means_older_are_an_error(
    after: list[int], newest: list[int], before: list[int]
) -> None:
    pages = {"after": after, "before": before}

    async def ask(cursor: Cursor) -> list[Entry]:
        (name,) = cursor or [""]
        return [entry(1, SPAN.end_ms + offset_ms) for offset_ms in pages.get(name, newest)]

    with pytest.raises(VenueProtocolError, match="neither after"):
        await find_older(ask, SPAN.end_ms, "walk")


async def test_bills_are_found_by_time_and_walked_by_id() -> None:
    times = [SPAN.start_ms - 50_000_000 + at * 100_000 for at in range(3_000)]
    ledger = FakeLedger([entry(10**12 + number, time_ms) for number, time_ms in enumerate(times)])
    found = await walk_through(BillWalk(ledger.bills, SPAN, "walk"))
    wanted = [one for one in ledger.entries if one.paged_ms in SPAN]
    assert set(ids(wanted)) <= set(ids(found))
    assert len(ids(found)) == len(set(ids(found)))
    assert [question["pagingType"] for question in ledger.questions] == [1] + [2] * 11
    assert len(wanted) == 1_000


async def test_a_few_bills_before_many_later_ones_are_not_walked_to() -> None:
    few = [entry(number, SPAN.end_ms - 1) for number in range(5)]
    ledger = FakeLedger([*few, *(entry(number, SPAN.end_ms + number) for number in range(1_000, 2_000))])
    assert ids(await walk_through(BillWalk(ledger.bills, SPAN, "walk"))) == list(range(5))
    assert len(ledger.questions) == 3


async def test_bills_whose_ids_and_times_disagree_a_little_all_arrive() -> None:
    dice = random.Random(3)
    entries = [
        entry(10**12 + at, SPAN.start_ms + at * 1_000 + dice.randrange(-20_000, 20_000))
        for at in range(5_000)
    ]
    ledger = FakeLedger(entries)
    span = Span(SPAN.start_ms + 50_000, SPAN.start_ms + 150_000)
    found = await walk_through(BillWalk(ledger.bills, span, "walk"))
    assert set(ids([one for one in entries if one.paged_ms in span])) <= set(ids(found))


async def test_a_bill_with_a_larger_id_than_a_page_of_later_ones_arrives() -> None:
    later = [entry(number, SPAN.end_ms + number) for number in range(2_000, 2_300)]
    dense = [entry(number, SPAN.end_ms - 1) for number in range(1, 151)]
    ledger = FakeLedger([*later, *dense, entry(1_000, SPAN.end_ms - 2)])
    found = await walk_through(BillWalk(ledger.bills, SPAN, "walk"))
    assert set(ids([one for one in found if one.paged_ms in SPAN])) == {*range(1, 151), 1_000}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("count", [0, 5, 150])
async def test_no_bill_before_the_span_ends_costs_a_question_or_two(swapped: bool, count: int) -> None:
    late = [entry(number, SPAN.end_ms + number) for number in range(count)]
    ledger = FakeLedger(late, swapped=swapped)
    assert await walk_through(BillWalk(ledger.bills, SPAN, "walk")) == []
    assert len(ledger.questions) == 2


@given(
    counts=st.lists(st.integers(0, 40), max_size=30),
    swapped=st.booleans(),
    seed=st.integers(0, 1000),
)
async def test_any_ledger_arrives_by_any_walk(counts: list[int], swapped: bool, seed: int) -> None:
    dice = random.Random(seed)
    times = [SPAN.start_ms - 30_000_000 + slot * 5_000_000 for slot, count in enumerate(counts)
             for _ in range(count)]  # fmt: skip
    entries = [entry(number, time_ms) for number, time_ms in enumerate(times, 10**15)]
    dice.shuffle(entries)
    wanted = ids([one for one in entries if one.paged_ms in SPAN])
    ledger = FakeLedger(entries, swapped=swapped)
    for walk_type in ("id", "time", "bill"):
        found = await walk_through(begin(walk_type, ledger))
        assert ids([one for one in found if one.paged_ms in SPAN]) == wanted
