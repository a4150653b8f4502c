"""``markethub sandbox``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from markethub.cli.output import say
from markethub.domain.errors import UnavailableError

if TYPE_CHECKING:
    from markethub.sandbox import SandboxSettings


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on; it knows no passwords.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 11184,
    weight_limit: Annotated[
        int, typer.Option(min=1, help="Binance request weight a minute before it answers 429.")
    ] = 6000,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Never refuse for load.")] = False,
    symbols: Annotated[
        int, typer.Option(min=0, max=9999, help="Made-up symbols SIM0001_USDT ... to list besides its own.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Another seed makes up other bars.")] = 7,
    faults: Annotated[
        Path | None, typer.Option(help="JSON file of what shall go wrong; see docs/venues.md.")
    ] = None,
) -> None:
    """Play Binance with its archive, OKX and Gate.io, offline, until Ctrl-C.

    Real recorded bars where there are some, made-up ones elsewhere; /sandbox/recordings lists the real.
    """
    from markethub.sandbox import SandboxSettings

    if no_limits:
        settings = SandboxSettings(
            seed=seed,
            generated_symbols=symbols,
            weight_per_minute=None,
            raw_requests_per_5_minutes=None,
            okx_limits_enforced=False,
            gate_requests_per_10_s=None,
            fault_plan=faults,
        )
    else:
        settings = SandboxSettings(
            seed=seed, generated_symbols=symbols, weight_per_minute=weight_limit, fault_plan=faults
        )
    try:
        asyncio.run(_serve(settings, host, port))
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror}; take another --port"
        ) from error


async def _serve(settings: "SandboxSettings", host: str, port: int) -> None:
    from markethub.sandbox import serve_sandbox

    serving = asyncio.current_task()
    if serving is None:
        raise RuntimeError("a coroutine of asyncio.run has no task")
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serve_sandbox(settings, host, port, on_ready=_announce)


def _announce(url: str) -> None:
    say(f"Sandbox listens on {url}; which bars are real: {url}/sandbox/recordings")
    say("Point a hub at it:")
    say(f"  MARKETHUB_VENUES__BNC__BASE_URL={url} MARKETHUB_VENUES__BNC__ARCHIVE_URL={url} \\")
    say(f"  MARKETHUB_VENUES__OKX__BASE_URL={url} MARKETHUB_VENUES__GIO__BASE_URL={url}/api/v4 \\")
    say("  markethub serve")
