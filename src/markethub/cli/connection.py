"""How a command finds its settings and its hub."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from markethub.domain.errors import NotFoundError

if TYPE_CHECKING:
    from markethub.client import DataHub
    from markethub.config import Settings
    from markethub.control.database import Database


def read_settings(config: Path | None, data_dir: Path | None) -> "Settings":
    """The settings, with the data folder that was named on the command line."""
    from markethub.config import load_settings

    return load_settings(config, {"data_dir": data_dir} if data_dir is not None else None)


def control_file(settings: "Settings") -> Path | None:
    """The file of the control database; None when it is a server, or its address cannot be read."""
    from markethub.control.database import database_file

    return database_file(settings.control_url)


@asynccontextmanager
async def open_control(settings: "Settings", *, may_be_new: bool = False) -> AsyncIterator["Database"]:
    """The control database itself, for commands of whoever owns the data folder; no server is needed.

    NotFoundError where there is none yet, unless it ``may_be_new``.
    """
    from markethub.control.database import open_database

    file = control_file(settings)
    if file is not None and not may_be_new and not file.is_file():
        # Opening would make an empty one, and the hub's first start would then not make its admin token.
        raise NotFoundError(
            f"no control database at {file}: run `markethub serve` once, or name the folder with --data-dir"
        )
    database = await open_database(settings.control_url)
    try:
        yield database
    finally:
        await database.close()


def use_data_folder(settings: "Settings") -> None:
    """Let this process's clients look for a local hub in the settings' data folder."""
    # They look where this variable says, and a command has its process to itself.
    os.environ["MARKETHUB_DATA_DIR"] = str(settings.data_dir)


def connect(url: str | None, config: Path | None, data_dir: Path | None) -> "DataHub":
    """A client of the hub at ``url``, else of the one that runs on the settings' data folder.

    Nothing is sent yet. InputError when the configuration cannot be read.
    """
    from markethub.client import DataHub

    use_data_folder(read_settings(config, data_dir))
    return DataHub(url)
