"""Markdown, as the pages use it."""

import inspect
import re
from collections.abc import Iterable, Sequence

Gaps = list[str]
"""Names of what lacks its text."""

MADE = "<!-- Made from the code by `make docs`; do not edit. -->"

_DOUBLE_BACKQUOTES = re.compile(r"``([^`]*)``")


def page(title: str, introduction: str, *parts: str) -> str:
    """One whole page; empty parts are left out."""
    return "\n\n".join(part for part in (f"# {title}", MADE, introduction, *parts) if part) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing at all where there are no rows."""
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*head, *lines]) if lines else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """``text`` between backquotes; nothing stays nothing."""
    return f"`{text}`" if text else ""


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: one line a paragraph, single backquotes."""
    paragraphs = inspect.cleandoc(docstring or "").split("\n\n")
    return _DOUBLE_BACKQUOTES.sub(r"`\1`", "\n\n".join(" ".join(part.split()) for part in paragraphs))


def meaning(text: str | None, of: str, gaps: Gaps) -> str:
    """``text`` as prose with a capital; without one, ``of`` is a gap."""
    told = prose(text)
    if not told:
        gaps.append(of)
        return "?"
    return told[:1].upper() + told[1:]
