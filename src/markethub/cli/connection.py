"""How a command finds its settings and its hub."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markethub.client import DataHub
    from markethub.config import Settings


def read_settings(config: Path | None, data_dir: Path | None) -> "Settings":
    """The settings, with the data folder that was named on the command line."""
    from markethub.config import load_settings

    return load_settings(config, {"data_dir": data_dir} if data_dir is not None else None)


def control_file(settings: "Settings") -> Path | None:
    """The file of the control database; None when it is a server, or its address cannot be read."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(settings.control_url)
    except ArgumentError:
        return None
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


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
