"""``markethub demo``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import time
from pathlib import Path
from typing import Annotated

import typer

from markethub.cli.durations import format_duration
from markethub.cli.output import say

_SERVE_PORT = 11183
_SERVE_FOLDER = Path(".data")


def demo(
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Fetch a little, then leave hub and sandbox running until Ctrl-C.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Work in DIR and leave it there [default: a temporary one; ./.data with --serve]",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The hub's port [default: a free one; 11183 with --serve]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The same steps with less data.")] = False,
) -> None:
    """See it work, offline: a sandbox exchange, a hub, years of real bars.

    Starts both as real processes, fetches over the HTTP API, and checks what it claims: ends with 0 only if
    everything held. Cleans up after itself.
    """
    if serve:
        _serve(keep or _SERVE_FOLDER, _SERVE_PORT if port is None else port)
    else:
        _play(keep, port or 0, quick=quick)


def _play(folder: Path | None, port: int, *, quick: bool) -> None:
    from markethub.cli.demo.guide import explain_next
    from markethub.cli.demo.plan import full_plan, quick_plan
    from markethub.cli.demo.stage import open_stage
    from markethub.cli.demo.story import tell_story
    from markethub.ports.clock import system_clock

    began_s = time.monotonic()
    plan = (quick_plan if quick else full_plan)(system_clock())
    with open_stage(folder, port) as stage:
        all_hold = tell_story(stage, plan)
        kept = stage.folder if folder is not None else None
    if not all_hold:
        say("\nNot everything held: see the lines marked FAIL.")
        raise typer.Exit(1)
    explain_next(kept)
    say(f"\nEverything held, in {format_duration(time.monotonic() - began_s)}.")


def _serve(folder: Path, port: int) -> None:
    from markethub.cli.demo.exchange import read_recordings
    from markethub.cli.demo.guide import explain_hub
    from markethub.cli.demo.plan import quick_plan
    from markethub.cli.demo.stage import open_stage
    from markethub.cli.demo.story import fetch, introduce
    from markethub.domain.errors import MarketHubError
    from markethub.domain.execution import ExecutionStatus
    from markethub.ports.clock import system_clock

    plan = quick_plan(system_clock())
    try:
        with open_stage(folder, port) as stage:
            introduce(stage, read_recordings(stage.sandbox_url), plan)
            for request in plan.requests:
                if (ended := fetch(stage, request).ended)["status"] != ExecutionStatus.SUCCESS:
                    raise MarketHubError(f"{request.title}: {ended['error'] or ended['status']}")
            explain_hub(stage)
            stage.wait()
    except KeyboardInterrupt:
        say(f"\nStopped; the data stay in {folder}.")
