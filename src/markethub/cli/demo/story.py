"""What the demo does and shows, step by step."""

import time
from dataclasses import dataclass

import typer

from markethub.cli.commands.klines import SCREEN_COLUMNS, bar_rows
from markethub.cli.demo.exchange import Asked, RealBars, count_real_ms, read_recordings, read_traffic
from markethub.cli.demo.plan import DemoPlan, Request
from markethub.cli.demo.stage import Stage
from markethub.cli.demo.verdicts import Verdicts
from markethub.cli.output import Cell, note, print_table, say
from markethub.cli.progress import show_progress
from markethub.client.answers import ExecutionDetailAnswer, HoleAnswer, SeriesAnswer
from markethub.domain.execution import ExecutionStatus
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.symbol import Symbol
from markethub.domain.times import format_time, parse_time

_SHOWN_HOLES = 10
_SAMPLE_BARS = 5
# The hour of the fall of 2020-03-12, or the first of the year where that is not stored.
_SAMPLE_MS = parse_time("2020-03-12T08:00")


@dataclass(frozen=True, slots=True)
class Fetched:
    """One backfill's end, what it asked of the exchange, and how long the hub took to accept it."""

    request: Request
    ended: ExecutionDetailAnswer
    asked: Asked
    post_ms: float

    @property
    def took_s(self) -> float:
        return (self.ended["duration_ms"] or 0) / 1000

    def count(self, name: str) -> int:
        """One of the execution's counters."""
        return self.ended["counters"].get(name, 0)


def heading(text: str) -> None:
    """Print the title of a step."""
    say()
    typer.secho(text, bold=True)


def tell_story(stage: Stage, plan: DemoPlan) -> bool:
    """Play every step; whether all its claims held. MarketHubError when a step cannot be done at all."""
    verdicts = Verdicts()
    recordings = read_recordings(stage.sandbox_url)
    introduce(stage, recordings, plan)
    heading("Backfill over the HTTP API")
    first = []
    for request in plan.requests:
        fetched = fetch(stage, request)
        first.append(fetched)
        status = fetched.ended["status"]
        verdicts.claim(
            f"{request.title}: {status}, {fetched.count('processed'):,} bars in {fetched.took_s:.1f} s",
            status == ExecutionStatus.SUCCESS,
        )
    show_sources(first)
    show_stored(stage, recordings)
    show_holes(stage, plan, recordings, verdicts)
    show_sample(stage, plan)
    read_ms = read_year(stage, plan, verdicts)
    second = fetch_again(stage, plan, verdicts)
    show_timings(stage, first, second, read_ms)
    return verdicts.all_hold


def introduce(stage: Stage, recordings: list[RealBars], plan: DemoPlan) -> None:
    """Say what runs, which bars are real, and which are not."""
    heading("A sandbox exchange and a hub, two processes on this machine")
    say(f"  sandbox  {stage.sandbox_url}  plays Binance: REST with its limits, and the archive")
    say(f"  hub      {stage.hub_url}  data in {stage.folder}")
    root = Symbol.parse(plan.shown_symbol).instrument
    for real in recordings:
        if (real.root, real.interval) == (root, plan.shown_interval) and real.span.intersect(plan.year):
            say(f"  Real: {root} {real.interval} {real.span}, {real.bars:,} bars, {len(real.holes)} holes")
            say(f"    recorded by {real.source} ({real.licence})")
            if real.made_up_columns:
                say(f"    not in that recording, so derived or zero: {', '.join(real.made_up_columns)}")
    say("  Its wider intervals are added up from it. All other bars here are made up, from a fixed seed.")


def fetch(stage: Stage, request: Request) -> Fetched:
    """Run one backfill to its end, with its progress on stderr."""
    before = read_traffic(stage.sandbox_url)
    began_s = time.perf_counter()
    queued = stage.hub.backfill_klines(
        list(request.symbols),
        intervals=[interval.value for interval in request.intervals],
        start_time=format_time(request.span.start_ms),
        end_time=format_time(request.span.end_ms),
    )
    post_ms = 1000 * (time.perf_counter() - began_s)
    with show_progress(request.title) as show:

        def watch(seen: ExecutionDetailAnswer) -> None:
            show(seen)
            stage.check()

        ended = stage.hub.wait(queued["trace_id"], progress=watch)
    if ended["error"]:
        note(f"{request.title}: {ended['error']}")
    return Fetched(request, ended, read_traffic(stage.sandbox_url).since(before), post_ms)


def show_sources(fetched: list[Fetched]) -> None:
    """Where the bars came from."""
    heading("Where they came from")
    columns = ("backfill", "chunks", "archive files", "REST pages", "rows", "refused for load")
    rows: list[list[Cell]] = [
        [
            one.request.title,
            one.ended["chunks"]["total"],
            one.count("archive_files"),
            one.count("rest_pages"),
            one.count("processed"),
            one.asked.refused,
        ]
        for one in fetched
    ]
    print_table(columns, rows, for_people=True)


def show_stored(stage: Stage, recordings: list[RealBars]) -> None:
    """What the hub has now."""
    heading("What is stored")
    columns = ("symbol", "interval", "rows", "first bar", "last bar", "bars are")
    rows: list[list[Cell]] = [
        [
            row["symbol"],
            row["interval"],
            row["rows"],
            row["first_open_time"],
            row["last_open_time"],
            _origin(row, recordings),
        ]
        for row in stage.hub.series()["data"]
    ]
    print_table(columns, rows, for_people=True)


def _origin(row: SeriesAnswer, recordings: list[RealBars]) -> str:
    if row["first_open_time"] is None or row["last_open_time"] is None:
        return "none"
    width_ms = Interval(row["interval"]).width_ms
    span = Span(parse_time(row["first_open_time"]), parse_time(row["last_open_time"]) + width_ms)
    real_ms = count_real_ms(recordings, Symbol.parse(row["symbol"]).instrument, row["interval"], span)
    if real_ms == span.width_ms:
        return "real"
    if real_ms == 0:
        return "made up"
    return f"real but for {(span.width_ms - real_ms) // width_ms:,}"


def show_holes(stage: Stage, plan: DemoPlan, recordings: list[RealBars], verdicts: Verdicts) -> None:
    """The hours in which the real exchange was down, found in what was fetched."""
    heading("Holes: the exchange itself has no bars there, and the hub says so")
    span = plan.requests[0].span
    found = stage.hub.holes(
        plan.shown_symbol, plan.shown_interval.value, format_time(span.start_ms), format_time(span.end_ms)
    )["data"]
    gaps = [hole for hole in found if hole["reason"] == "venue_gap"]
    rows: list[list[Cell]] = [[hole["start"], hole["end"], hole["bars"], hole["reason"]] for hole in gaps]
    print_table(("from", "to", "bars", "reason"), rows[:_SHOWN_HOLES], for_people=True)
    if len(rows) > _SHOWN_HOLES:
        say(f"  and {len(rows) - _SHOWN_HOLES} more")
    expected = [hole for hole in _recorded_holes(plan, recordings) if hole.start_ms in span]
    verdicts.claim(
        f"exactly the {len(expected)} holes of the recording, each to the hour",
        [_hole_span(hole) for hole in gaps] == expected,
    )
    verdicts.claim("nothing was left unfetched", not any(hole["reason"] == "not_fetched" for hole in found))


def _recorded_holes(plan: DemoPlan, recordings: list[RealBars]) -> list[Span]:
    root = Symbol.parse(plan.shown_symbol).instrument
    return [
        hole
        for real in recordings
        if (real.root, real.interval) == (root, plan.shown_interval)
        for hole in real.holes
    ]


def _hole_span(hole: HoleAnswer) -> Span:
    return Span(parse_time(hole["start"]), parse_time(hole["end"]))


def show_sample(stage: Stage, plan: DemoPlan) -> None:
    """A few bars as a reader gets them."""
    span = plan.requests[0].span
    start = format_time(_SAMPLE_MS if _SAMPLE_MS in span else plan.year.start_ms)
    heading(f"{plan.shown_symbol} {plan.shown_interval} from {start}")
    bars = stage.hub.klines(plan.shown_symbol, plan.shown_interval.value, start, limit=_SAMPLE_BARS)
    print_table(SCREEN_COLUMNS, bar_rows(bars), for_people=True)


def read_year(stage: Stage, plan: DemoPlan, verdicts: Verdicts) -> dict[str, float]:
    """Read one real year, and all the made-up minutes of one symbol, as Arrow; milliseconds by name."""
    heading("Read as Arrow")
    minutes = plan.requests[1]
    took_ms: dict[str, float] = {}
    for symbol, interval, span in (
        (plan.shown_symbol, plan.shown_interval, plan.year),
        (minutes.symbols[0], minutes.intervals[0], minutes.span),
    ):
        began_s = time.perf_counter()
        start, end = format_time(span.start_ms), format_time(span.end_ms)
        bars = stage.hub.klines(symbol, interval.value, start, end)
        elapsed_ms = 1000 * (time.perf_counter() - began_s)
        took_ms[f"read {symbol} {interval}, {len(bars):,} rows"] = elapsed_ms
        missing = sum(hole["bars"] for hole in stage.hub.holes(symbol, interval.value, start, end)["data"])
        expected = span.width_ms // interval.width_ms - missing
        verdicts.claim(
            f"{symbol} {interval}, {start} to {end}: {len(bars):,} bars and {missing} known missing",
            len(bars) == expected > 0,
        )
    return took_ms


def fetch_again(stage: Stage, plan: DemoPlan, verdicts: Verdicts) -> list[Fetched]:
    """The same backfills once more: there is nothing to do, and hardly anything is asked."""
    heading("The same backfills again")
    again = [fetch(stage, request) for request in plan.requests]
    for one in again:
        inserted, updated = one.count("inserted"), one.count("updated")
        data_requests = one.asked.kline_pages + one.asked.archive_files
        # A bar that had only just closed is asked for once more, a page a series.
        most = len(one.request.symbols) * len(one.request.intervals)
        verdicts.claim(
            f"{one.request.title}: inserted={inserted} updated={updated}, "
            f"{data_requests} requests for data, {one.asked.other} others",
            one.ended["status"] == ExecutionStatus.SUCCESS
            and inserted == updated == 0
            and data_requests <= most,
        )
    return again


def show_timings(
    stage: Stage, first: list[Fetched], second: list[Fetched], read_ms: dict[str, float]
) -> None:
    """How long everything took on this machine, sandbox and hub together on its processors."""
    heading("Timings, with exchange and hub on the same processors")
    rows: list[list[Cell]] = [["start both processes", f"{stage.started_ms:,} ms", ""]]
    for one in first:
        bars = one.count("processed")
        rate = f"{bars / one.took_s:,.0f} rows/s" if bars and one.took_s else ""
        rows.append([f"backfill, {one.request.title}", f"{one.took_s * 1000:,.0f} ms", rate])
    rows += [[f"again, {one.request.title}", f"{one.took_s * 1000:,.0f} ms", ""] for one in second]
    posts = [one.post_ms for one in (*first, *second)]
    rows.append(["POST /api/v1/backfill/klines", f"{min(posts):.1f} ms", f"slowest {max(posts):.1f} ms"])
    rows += [[name, f"{took_ms:,.1f} ms", ""] for name, took_ms in read_ms.items()]
    print_table(("what", "took", ""), rows, for_people=True)
