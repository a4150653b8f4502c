"""How to go on by oneself."""

from pathlib import Path

from markethub.cli.demo.stage import TOKEN_FILE, Stage
from markethub.cli.demo.story import heading
from markethub.cli.output import say


def explain_hub(stage: Stage) -> None:
    """How to talk to the hub that keeps running: curl, Python, command line."""
    token = stage.folder / TOKEN_FILE
    heading("A hub to play with; Ctrl-C ends it, its data stay")
    say(f"  API      {stage.hub_url}/docs")
    say(f"  token    {token} (only you can read it)")
    say(f"  sandbox  {stage.sandbox_url}/sandbox/recordings says which bars are real")
    heading("curl")
    say(f'  curl -H "Authorization: Bearer $(cat {token})" \\')
    say(f"    '{stage.hub_url}/api/v1/klines?symbol=BTC_USDT.BNC&interval=1h&limit=3&format=csv'")
    heading("Python")
    say(f"  MARKETHUB_DATA_DIR={stage.folder} python")
    say("  >>> from markethub import datahub")
    say("  >>> datahub.klines('BTC_USDT.BNC', '1h', limit=3, as_='polars')")
    heading("Command line")
    say(f"  export MARKETHUB_DATA_DIR={stage.folder}")
    say("  markethub backfill klines --symbol ETH_USDT.BNC --interval 1d --start 2024-01-01")
    say("  markethub klines read ETH_USDT.BNC 1d --limit 10")
    say("  markethub executions list")
    say()


def explain_next(kept: Path | None) -> None:
    """Where to go from here, after a demo that ends by itself."""
    heading("Next")
    say("  markethub demo --serve   the same stage, left running, with examples to copy (make serve)")
    say("  markethub serve          a hub on the real exchange")
    say("  markethub doctor         is this machine ready for it?")
    if kept is not None:
        say(f"  markethub klines read BTC_USDT.BNC 1h --limit 5 --local --data-dir {kept}")
