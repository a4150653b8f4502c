"""Content negotiation."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markethub.api.table_formats import MEDIA_TYPES, choose_format
from markethub.domain.errors import InputError

ARROW = "application/vnd.apache.arrow.stream"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        (BROWSER, "json"),
        ("application/*", "json"),
        ("application/json", "json"),
        ("APPLICATION/JSON; charset=utf-8", "json"),
        (ARROW, "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("text/csv", "csv"),
        ("text/*", "csv"),
        (f"application/json;q=0.5, {ARROW}", "arrow"),
        (f"{ARROW};q=0.4, text/csv; q=0.6", "csv"),
        ("application/json;q=0, */*", "arrow"),
        ("*/*;q=0.1, text/csv", "csv"),
        ("text/csv;q=nonsense, application/json;q=0.1", "json"),
        ("text/csv;q=7", "csv"),
    ],
)
def test_the_best_offer_wins(accept: str | None, chosen: str) -> None:
    assert choose_format(accept) == chosen


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "*/*;q=0", "text/html"])
def test_an_impossible_wish_names_what_there_is(accept: str) -> None:
    with pytest.raises(InputError, match=r"application/vnd\.apache\.parquet") as caught:
        choose_format(accept)
    assert accept in str(caught.value)


@given(st.text(max_size=60))
def test_any_header_gives_a_format_or_an_input_error(accept: str) -> None:
    with contextlib.suppress(InputError):
        assert choose_format(accept) in MEDIA_TYPES
