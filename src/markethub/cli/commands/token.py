"""``markethub token``: straight on the control database, since whoever owns the data folder owns the hub."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import asyncio
import typing
from typing import Annotated

import typer

from markethub.cli.connection import control_file, open_control, read_settings
from markethub.cli.durations import parse_duration_s
from markethub.cli.options import AsJson, ConfigFile, DataDir, checked
from markethub.cli.output import Cell, note, print_json, print_table, say
from markethub.domain.times import format_time

if typing.TYPE_CHECKING:
    from markethub.config import Settings
    from markethub.control.tokens import Token

app = typer.Typer(help="Make and revoke access tokens.", no_args_is_help=True)


@app.command("create")
def create(
    *,
    name: Annotated[str, typer.Option(help="Whose it is, or what for.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it may do: read:data, read:jobs, read:logs, write:backfill, read:dms, write:dms, or "
            "admin for everything; may be repeated."
        ),
    ],
    expires_in: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", parser=checked(parse_duration_s), help="Such as 12h or 30d [default: never]"
        ),
    ] = None,
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, help="How many it may send [default: as access.requests_per_minute says]"),
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token and print it, alone, on stdout.

    Only its hash is kept: it cannot be shown again. On a new data folder it is the first token, and
    `markethub serve` then makes none by itself.
    """
    settings = read_settings(config, data_dir)
    token, row = asyncio.run(_create(settings, name, scope, expires_in, requests_per_minute))
    say(token)
    until = "does not expire" if row.expires_ms is None else f"expires {format_time(row.expires_ms)}"
    note(f"token {row.id} for {row.name}: {', '.join(row.scopes)}; {until}. It is not shown again.")


@app.command("list")
def list_all(*, as_json: AsJson = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all tokens, revoked and expired ones included, never their secrets."""
    rows, now_ms = asyncio.run(_list(read_settings(config, data_dir)))
    described = [_describe(row, now_ms) for row in rows]
    if as_json:
        print_json({"data": described})
        return
    columns = ("id", "name", "state", "scopes", "created", "expires", "last_used", "requests_per_minute")
    print_table(columns, ([_joined(row[column]) for column in columns] for row in described))


@app.command("revoke")
def revoke(
    *,
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `markethub token list` shows it.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Refuse a token from now on."""
    asyncio.run(_revoke(read_settings(config, data_dir), token_id))
    say(f"token {token_id} is revoked")


async def _create(
    settings: "Settings",
    name: str,
    scopes: list[str],
    expires_in: str | None,
    requests_per_minute: int | None,
) -> "tuple[str, Token]":
    from markethub.services.access import create_token

    file = control_file(settings)
    if file is not None and not file.is_file():
        # A hub that other machines can reach starts only once there is a token: this is what comes first.
        note(f"new control database {file}")
    async with open_control(settings, may_be_new=True) as database:
        now_ms = database.clock()
        return await create_token(
            database,
            now_ms,
            name=name,
            scopes=scopes,
            expires_ms=None if expires_in is None else now_ms + 1000 * parse_duration_s(expires_in),
            requests_per_minute=requests_per_minute,
        )


async def _list(settings: "Settings") -> "tuple[list[Token], int]":
    from markethub.services.access import list_tokens

    async with open_control(settings) as database:
        return await list_tokens(database), database.clock()


async def _revoke(settings: "Settings", token_id: str) -> None:
    from markethub.services.access import revoke_token

    async with open_control(settings) as database:
        await revoke_token(database, token_id, database.clock())


def _describe(row: "Token", now_ms: int) -> dict[str, str | int | list[str] | None]:
    if row.revoked_ms is not None:
        state = "revoked"
    elif row.expires_ms is not None and row.expires_ms <= now_ms:
        state = "expired"
    else:
        state = "active"
    return {
        "id": str(row.id),
        "name": row.name,
        "state": state,
        "scopes": list(row.scopes),
        "created": format_time(row.created_ms),
        "expires": None if row.expires_ms is None else format_time(row.expires_ms),
        "last_used": None if row.last_used_ms is None else format_time(row.last_used_ms),
        "revoked": None if row.revoked_ms is None else format_time(row.revoked_ms),
        "requests_per_minute": row.requests_per_minute,
    }


def _joined(value: str | int | list[str] | None) -> Cell:
    return ", ".join(value) if isinstance(value, list) else value
