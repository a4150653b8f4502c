"""The pages that people read, taken apart: code blocks, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])

_FENCE = re.compile(r"^(```+)(\w*)\s*$")
_HEADING = re.compile(r"^(#+) +(.*?)\s*$")
_LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`]*`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its lines, and the line of the page where it begins."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line} {self.language}"


def read_page(page: Path) -> tuple[list[Block], list[str]]:
    """The fenced blocks of a page, and its lines outside of them."""
    blocks: list[Block] = []
    prose: list[str] = []
    begun: tuple[int, str, str, list[str]] | None = None  # line, fence, language, text
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if begun is None and fence:
            begun = (number, fence[1], fence[2], [])
        elif begun is None:
            prose.append(line)
        elif line == begun[1]:
            blocks.append(Block(page, begun[0], begun[2], "\n".join(begun[3])))
            begun = None
        else:
            begun[3].append(line)
    if begun is not None:
        raise AssertionError(f"{page}: the block of line {begun[0]} has no end")
    return blocks, prose


def read_blocks(page: Path) -> list[Block]:
    return read_page(page)[0]


def read_headings(page: Path) -> list[tuple[int, str]]:
    """Every heading as (depth, text)."""
    found = (_HEADING.match(line) for line in read_page(page)[1])
    return [(len(match[1]), match[2]) for match in found if match]


def read_anchors(page: Path) -> set[str]:
    """What a link may name after ``#``, spelt as GitHub does it: a second heading of one name gets ``-1``."""
    seen: dict[str, int] = {}
    anchors = set()
    for _, text in read_headings(page):
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return anchors


def read_links(page: Path) -> Iterator[str]:
    """The targets of all links, those inside of code left out."""
    for line in read_page(page)[1]:
        # a link's own text may be code
        yield from _LINK.findall(_CODE.sub("code", line))
