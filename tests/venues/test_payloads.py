"""Every payload says where it is from, may be here, and has a second opinion."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "payloads"
README = "README.md"


def list_payloads() -> set[str]:
    return {path.name for path in FOLDER.iterdir()} - {README}


def read_origins() -> dict[str, str]:
    """The README's line about each file that it names in the first column of a table."""
    lines = [line for line in (FOLDER / README).read_text().splitlines() if line.startswith("| `")]
    return {name: line for line in lines for name in re.findall("`(.*?)`", line.split("|")[1])}


def test_the_readme_tells_of_every_payload() -> None:
    assert read_origins().keys() == list_payloads()


def test_nothing_but_public_market_values_is_of_an_unfree_or_copyleft_source() -> None:
    for name, line in read_origins().items():
        if name.endswith("_own.json"):
            assert "own, after the shape of" in line
        elif not re.search(r"\b(MIT|Apache-2\.0|BSD|XFree86-1\.1)\b|\| same", line):
            assert "public" in line, name


def test_another_library_reads_every_payload() -> None:
    tests = "".join(path.read_text() for path in FOLDER.parent.glob("test_*_second_opinion.py"))
    assert {name for name in list_payloads() if f'"{name}"' not in tests} == set()
