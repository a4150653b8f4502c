"""``markethub reload``."""

# ruff: noqa: PLC0415 - what is slow to import waits for the command that needs it

import os
import signal

from markethub.cli.connection import read_settings
from markethub.cli.options import ConfigFile, DataDir
from markethub.cli.output import say
from markethub.domain.errors import ForbiddenError, NotFoundError


def reload(*, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Let the hub on the data folder read its configuration again: its jobs and subscriptions.

    The hub reads the file that it was started with, and its log says what came of it: a mistake in the file
    changes nothing, and a changed setting that needs a restart is named.
    """
    from markethub.registry import find_process

    folder = read_settings(config, data_dir).data_dir
    number = find_process(folder)
    try:
        os.kill(number, signal.SIGHUP)
    except ProcessLookupError as error:
        raise NotFoundError(f"no hub runs on {folder}: process {number} has just ended") from error
    except PermissionError as error:
        raise ForbiddenError(f"the hub on {folder}, process {number}, is another user's") from error
    say(f"process {number} reads its configuration again")
