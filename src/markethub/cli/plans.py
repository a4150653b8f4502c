"""Print what a backfill would do."""

import typing

from markethub.cli.output import Cell, note, print_json, print_table

if typing.TYPE_CHECKING:
    from markethub.client.answers import PlanTotalsAnswer, QueuedAnswer


def print_plan(planned: "QueuedAnswer", as_json: bool) -> None:
    """Print the plan of a dry run: its chunks on stdout, what is said of them on stderr."""
    if as_json:
        print_json(planned)
        return
    plan = planned["plan"]
    print_table(
        ("chunk", "start", "end", "rows", "files", "requests", "weight"),
        (
            [
                chunk["key"],
                chunk["start"],
                chunk["end"],
                chunk["rows"],
                chunk["archive_files"],
                chunk["requests"],
                chunk["request_weight"],
            ]
            for chunk in plan["chunks"]
        ),
    )
    note(planned["message"])
    if plan["chunks_left_out"]:
        note(f"and {plan['chunks_left_out']} more chunks")
    for totals in plan["exchanges"]:
        note(f"{totals['exchange']}: {_describe(totals)}")
    for failure in plan["failures"]:
        note(f"cannot be had: {failure['key']}: {failure['error']}")
    if plan["failed"] > len(plan["failures"]):
        note(f"and {plan['failed'] - len(plan['failures'])} more that cannot be had")
    for line in plan["notes"]:
        note(line)


def _describe(totals: "PlanTotalsAnswer") -> str:
    least = "at least " if totals["at_least"] else ""
    return (
        f"{totals['chunks']:,} chunks, {_known(totals['rows'])} rows, "
        f"{totals['archive_files']:,} archive files, {least}{_known(totals['requests'])} requests "
        f"of weight {_known(totals['request_weight'])}"
    )


def _known(count: Cell) -> str:
    return f"{count:,}" if isinstance(count, int) else "an unknown number of"
