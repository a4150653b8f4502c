"""The checks of ``markethub doctor``: each looks at one thing, changes nothing, and never raises."""

import asyncio
from collections.abc import Iterator

from markethub.cli.doctor import folder, group, machine, node, venues
from markethub.cli.doctor.finding import Finding
from markethub.config import Settings


def run_checks(settings: Settings, *, offline: bool) -> list[Finding]:
    """All findings, in the order in which one would repair; ``offline`` leaves the exchanges out."""
    return list(_run_checks(settings, offline))


def _run_checks(settings: Settings, offline: bool) -> Iterator[Finding]:
    yield machine.check_python()
    yield machine.check_packages()
    yield machine.check_open_files()
    yield from folder.check_folder(settings.data_dir)
    yield asyncio.run(node.check_control(settings))
    server = node.find_server(settings.data_dir)
    yield node.check_store(settings, server)
    yield node.check_hub(server)
    yield from group.check_group(settings, server)
    if not offline:
        yield from asyncio.run(venues.check_venues(settings))
