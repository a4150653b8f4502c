"""``markethub serve``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

from enum import StrEnum
from typing import Annotated, Any

import typer

from markethub.cli.options import ConfigFile, DataDir
from markethub.domain.node import Role


class LogFormat(StrEnum):
    """How log lines look; ``auto`` is ``console`` on a terminal and ``json`` elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def serve(
    *,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one [default: 11183]")
    ] = None,
    role: Annotated[
        Role | None, typer.Option(help="What it is in its group [default: master, unless configured]")
    ] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="How log lines look [default: auto]")] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="The least level logged [default: info]")] = None,
) -> None:
    """Run a hub until Ctrl-C or SIGTERM.

    Flags win over MARKETHUB_* variables, those over the configuration file. On SIGTERM running work is
    finished or handed back, and taken up again by the next start. On SIGHUP, or `markethub reload`, jobs and
    subscriptions are read again from the configuration. A slave follows the node of [master] and only serves,
    until it is promoted.
    """
    from markethub.config import load_settings
    from markethub.server import run_server

    given: dict[str, Any] = {"host": host, "port": port, "log_format": log_format, "log_level": log_level}
    server = {name: value for name, value in given.items() if value is not None}
    flags: dict[str, Any] = {"server": server} if server else {}
    if role is not None:
        flags["node"] = {"role": role.value}
    if data_dir is not None:
        flags["data_dir"] = data_dir
    run_server(lambda: load_settings(config, flags), typer.echo)
