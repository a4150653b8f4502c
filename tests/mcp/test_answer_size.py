"""No answer is longer than it may be, and nothing is lost between two of them."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markethub.mcp.answer_size import fit_rows, measure, shorten
from markethub.mcp.calls import Ask, Question, Reply, call_tool
from markethub.mcp.tools import TOOLS
from markethub.wire.pagination import Pagination

TOKENS = 1000
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=9),
    max_leaves=20,
)
rows_strategy = st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "what": values}), max_size=12)


@settings(max_examples=50)
@given(rows=rows_strategy, room=st.integers(300, 1500), from_end=st.booleans())
def test_rows_that_fit_are_the_first_or_the_last(
    rows: list[dict[str, Any]], room: int, from_end: bool
) -> None:
    kept = fit_rows(rows, room, from_end=from_end)
    assert bool(kept) == bool(rows)
    if len(kept) > 1:
        assert sum(measure(row) + 1 for row in kept) <= room
        assert kept == (rows[-len(kept) :] if from_end else rows[: len(kept)])
    if len(kept) < len(rows):
        following = rows[-len(kept) - 1] if from_end else rows[len(kept)]
        assert sum(measure(row) + 1 for row in [*kept, following]) > room or len(kept) == 1


@settings(max_examples=50)
@given(document=st.fixed_dictionaries({"id": st.integers(0, 9), "what": values, "why": texts}))
def test_a_short_document_stays_as_it_is(document: dict[str, Any]) -> None:
    assert shorten(document, 10**9) == document


@pytest.mark.parametrize(
    "value",
    [
        "x" * 100_000,
        "界" * 50_000,
        [f"S{n}_USDT.BNC" for n in range(10_000)],
        {str(n): n for n in range(9_000)},
    ],
)
def test_a_long_document_is_cut_and_says_how_much_is_missing(value: object) -> None:
    cut = shorten({"id": "7", "what": value, "error": None}, 3000)
    assert measure(cut) <= 3000
    assert (cut["id"], cut["error"]) == ("7", None)
    assert "more" in orjson.dumps(cut["what"]).decode()
    assert measure(cut) > 500


def paged(rows: list[dict[str, Any]], most: int = 1000) -> Ask:
    """An API that pages as ours does."""

    async def ask(question: Question) -> Reply:
        offset, limit = (
            int(str(question.query.get(name, default))) for name, default in (("offset", 0), ("limit", 50))
        )
        assert 1 <= limit <= most
        pagination = Pagination.of(total=len(rows), limit=limit, offset=offset).model_dump()
        return Reply(200, {"data": rows[offset : offset + limit], "pagination": pagination})

    return ask


def whole(rows: list[dict[str, Any]]) -> Ask:
    async def ask(question: Question) -> Reply:
        assert not question.query
        return Reply(200, {"data": rows})

    return ask


async def read_all(tool: str, ask: Ask, **arguments: object) -> list[list[dict[str, Any]]]:
    """The rows of each answer, until no cursor is left."""
    answers: list[list[dict[str, Any]]] = []
    cursor = None
    while True:
        reply = await call_tool(TOOLS[tool], {**arguments, "cursor": cursor}, ask, TOKENS)
        assert not reply.is_error, reply
        assert measure(reply.document) <= 4 * TOKENS
        answers.append(reply.document["data"])
        cursor = reply.document["next_cursor"]
        assert (cursor is None) != ("next_cursor" in reply.document["summary"])
        if cursor is None:
            return answers


@pytest.mark.parametrize("tool", ["datahub_list_logs", "datahub_fills"])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 400])
@pytest.mark.parametrize("width", [1, 300])
@pytest.mark.parametrize("limit", [None, 7, 1000])
async def test_pages_join_without_loss(tool: str, count: int, width: int, limit: int | None) -> None:
    rows = [{"id": number, "text": "x" * width} for number in range(count)]
    answers = await read_all(tool, paged(rows), limit=limit)
    assert [row for answer in answers for row in answer] == rows
    assert all(len(answer) <= (limit or 50) for answer in answers)


async def test_pages_begin_where_the_caller_says() -> None:
    rows = [{"id": number, "text": "x" * 100} for number in range(200)]
    answers = await read_all("datahub_list_logs", paged(rows), offset=150)
    assert [row for answer in answers for row in answer] == rows[150:]


@pytest.mark.parametrize("named", [0, 3, 5000])
async def test_what_a_page_has_beside_its_rows_is_cut_too(named: int) -> None:
    rows = [{"exchange": "BNC", "symbol": f"S{number}_USDT.BNC"} for number in range(300)]
    rule = {"quote": "USDT", "top": 5, "include": [f"C{number}_USDT" for number in range(named)]}

    async def ask(question: Question) -> Reply:
        reply = await paged(rows)(question)
        return Reply(200, {**reply.document, "exchanges": [{"exchange": "BNC", "rule": rule}]})

    answers = await read_all("datahub_list_subscriptions", ask)
    assert [row for answer in answers for row in answer] == rows
    whole_one = await call_tool(TOOLS["datahub_list_subscriptions"], {}, ask, TOKENS)
    assert (whole_one.document["exchanges"][0]["rule"] == rule) == (named < 10)


@pytest.mark.parametrize("count", [0, 1, 400])
async def test_whole_lists_join_without_loss(count: int) -> None:
    rows = [{"symbol": f"S{number}_USDT.BNC", "rows": number} for number in range(count)]
    answers = await read_all("datahub_series", whole(rows))
    assert [row for answer in answers for row in answer] == rows
    assert len(answers) > 1 or count < 400


def bars_of(count: int) -> Ask:
    """An API with ``count`` bars, which reads from a start, or the newest before an end."""
    times = [f"2026-01-{1 + n // 24:02}T{n % 24:02}:00:00Z" for n in range(count)]

    async def ask(question: Question) -> Reply:
        query = {name: str(value) for name, value in question.query.items()}
        limit = int(query["limit"])
        found = [t for t in times if query.get("start", "") <= t < query.get("end", "9")]
        kept = found[:limit] if "start" in query else found[-limit:]
        data = [{"open_time": time, "close": 1.5} for time in kept]
        return Reply(200, {"symbol": "S", "interval": "1h", "data": data})

    return ask


@pytest.mark.parametrize("count", [0, 1, 2, 5, 500])
@pytest.mark.parametrize("limit", [None, 1, 2, 77])
@pytest.mark.parametrize("start", [None, "2026-01-01T02:00:00Z"])
async def test_bars_join_without_loss(count: int, limit: int | None, start: str | None) -> None:
    answers = await read_all(
        "datahub_klines", bars_of(count), symbol="S", interval="1h", limit=limit, start=start
    )
    ordered = answers if start else answers[::-1]  # without a start it goes back in time
    times = [bar["open_time"] for answer in ordered for bar in answer]
    assert len(times) == max(0, count - (2 if start else 0))
    assert times == sorted(set(times))
    assert all(len(answer) <= (limit or 1000) for answer in answers)


async def test_a_cursor_is_for_its_own_call_only() -> None:
    rows = [{"id": number, "text": "x" * 300} for number in range(50)]
    first = await call_tool(TOOLS["datahub_list_logs"], {"level": "info"}, paged(rows), TOKENS)
    cursor = first.document["next_cursor"]
    for tool, arguments in (("datahub_list_logs", {"level": "error"}), ("datahub_fills", {"level": "info"})):
        reply = await call_tool(TOOLS[tool], {**arguments, "cursor": cursor}, paged(rows), TOKENS)
        assert reply.status == 422
    smaller = {"level": "info", "limit": 2, "cursor": cursor}
    reply = await call_tool(TOOLS["datahub_list_logs"], smaller, paged(rows), TOKENS)
    shown = len(first.document["data"])
    assert reply.document["data"] == rows[shown : shown + 2]
    assert reply.document["summary"].startswith(f"rows {shown + 1} to {shown + 2} of 50")


async def test_one_row_that_is_too_long_is_cut_and_the_next_follows() -> None:
    rows = [{"id": 1, "asks": list(range(5000))}, {"id": 2, "asks": [1]}]
    answers = await read_all("datahub_orderbooks", paged(rows))
    assert [[row["id"] for row in answer] for answer in answers] == [[1], [2]]
    assert answers[0][0]["asks"][:2] == [0, 1]
    assert answers[0][0]["asks"][-1].endswith("more)")


async def test_one_object_that_is_too_long_says_so() -> None:
    async def ask(_question: Question) -> Reply:
        return Reply(200, {"id": "1", "parameters_snapshot": {"symbols": ["S_USDT.BNC"] * 10_000}})

    reply = await call_tool(TOOLS["datahub_get_execution"], {"execution_id": "1"}, ask, TOKENS)
    assert reply.document["summary"] == "too long: its lists and texts are cut"
    assert reply.document["id"] == "1"
    assert measure(reply.document) <= 4 * TOKENS
