"""The pages of docs/reference, made from the code: `python -m tools.reference` writes them.

Meanings stand next to the code (docstrings, help texts, descriptions). What lacks one is a gap, and the test
that compares the pages with the code fails for every gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.reference.commands import write_commands
from tools.reference.errors import write_errors
from tools.reference.jobs import write_jobs
from tools.reference.markdown import Gaps
from tools.reference.routes import write_routes
from tools.reference.scopes import write_scopes
from tools.reference.settings import write_settings
from tools.reference.tools import write_tools

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

WRITERS: Mapping[str, Callable[[Gaps], str]] = {
    "routes.md": write_routes,
    "commands.md": write_commands,
    "settings.md": write_settings,
    "jobs.md": write_jobs,
    "scopes.md": write_scopes,
    "errors.md": write_errors,
    "tools.md": write_tools,
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Every page by its file's name, and what lacks its text, by name."""

    pages: Mapping[str, str]
    gaps: Gaps


def build_reference() -> Reference:
    """Make every page from the code that is installed."""
    gaps: Gaps = []
    return Reference({name: write(gaps) for name, write in WRITERS.items()}, gaps)
