"""Printing: tables, JSON, lengths of time, control characters."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.cli.durations import format_duration, parse_duration_s
from markethub.cli.output import Cell, print_json, print_table, safe_text
from markethub.domain.errors import InputError


@given(st.text())
def test_safe_text_leaves_nothing_that_steers_a_terminal(text: str) -> None:
    shown = safe_text(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    shown.encode()  # lone surrogates are spelled out as well


def test_safe_text_keeps_what_is_harmless() -> None:
    assert safe_text("币安人生\t1\n2 \x1b[31mred") == "币安人生\t1\n2 \\x1b[31mred"


def test_a_table_in_a_pipe_is_one_line_a_row_with_bare_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "rows", "price"), [["a\tb\nc", 1_234_567, 0.1], [None, 0, 1e-9]])
    assert capsys.readouterr().out == "name\trows\tprice\na b c\t1234567\t0.1\n\t0\t1e-09\n"


def test_a_table_for_people_has_separators_and_equal_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[list[Cell]] = [["x", 1_234_567, 0.5], [None, None, 1234.25], ["[bold]y", 3, 2.0]]
    print_table(("name", "rows", "price"), rows, for_people=True)
    header, _, *lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert header == ["name", "rows", "price"]
    assert lines == [["x", "1,234,567", "0.50"], ["-", "-", "1,234.25"], ["[bold]y", "3", "2.00"]]


def test_a_table_without_rows_still_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [])
    assert capsys.readouterr().out == "a\tb\n"
    print_table(("a", "b"), [], for_people=True)
    assert "a" in capsys.readouterr().out


def test_json_is_one_line_for_programs_and_indented_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_json({"a": [1, None]})
    assert capsys.readouterr().out == '{"a":[1,null]}\n'

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_json({"a": 1})
    assert terminal.getvalue() == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("1s", 1), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("30d", 2_592_000), ("4w", 2_419_200)],
)
def test_lengths_of_time(text: str, duration_s: int) -> None:
    assert parse_duration_s(text) == duration_s


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "1", "d", "1.5h", "1y", "30 d", "30d\n", "٣d", "1" * 12 + "s"]
)
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(InputError, match="length of time"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0 ms"),
        (0.0394, "39 ms"),
        (0.9996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_how_long_it_took(duration_s: float, text: str) -> None:
    assert format_duration(duration_s) == text
