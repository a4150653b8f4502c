"""``markethub doctor``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from typing import Annotated

import typer

from markethub.cli.connection import read_settings
from markethub.cli.options import AsJson, ConfigFile, DataDir
from markethub.cli.output import print_json, say


def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the exchanges.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Check this installation, and say what to do about what is wrong.

    Changes nothing. Ends with 1 when a check fails; a warning is no failure.
    """
    from markethub.cli.doctor import run_checks
    from markethub.cli.doctor.finding import Level

    findings = run_checks(read_settings(config, data_dir), offline=offline)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [finding.to_json() for finding in findings]})
    else:
        for finding in findings:
            say(f"{finding.level:<4}  {finding.check}: {finding.detail}")
            if finding.advice:
                say(f"      -> {finding.advice}")
    if failed:
        raise typer.Exit(1)
