"""Options arrive as text and are checked before anything is built."""

import pytest

from markethub.domain.errors import InputError
from markethub.domain.support import SUPPORT
from markethub.ports.venue import Venue, VenueFactory
from markethub.venues.binance import create_venue
from markethub.venues.binance.options import BinanceOptions
from tests.budgets import budget_of


def test_defaults() -> None:
    options = BinanceOptions.parse({})
    assert options == BinanceOptions()
    assert options.base_url == "https://api.binance.com"
    assert options.archive_url == "https://data.binance.vision"


def test_everything_can_be_set() -> None:
    options = BinanceOptions.parse(
        {
            "base_url": "http://127.0.0.1:8080/",
            "archive_url": "https://mirror.example/binance",
            "request_timeout_s": "2.5",
            "connections": "3",
            "archive_connections": "4",
            "weight_limit": "1200",
            "safety_fraction": "0.1",
            "quick_retries": "0",
            "patience_s": "7",
            "recv_window_ms": "60000",
        }
    )
    assert options == BinanceOptions(
        "http://127.0.0.1:8080", "https://mirror.example/binance", 2.5, 3, 4, 1200, 0.1, 0, 7.0, 60_000
    )
    assert type(options.weight_limit) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "ftp://host"),
        ("base_url", "host"),
        ("base_url", "https://"),
        ("base_url", "https://user:hush@host"),
        ("archive_url", "https://host/?key=hush"),
        ("archive_url", "http://host:0"),
        ("archive_url", "http://host:99999"),
        ("archive_url", "http://[::1"),
        ("request_timeout_s", "0"),
        ("request_timeout_s", "nan"),
        ("request_timeout_s", "inf"),
        ("request_timeout_s", "soon"),
        ("connections", "0"),
        ("connections", "2.5"),
        ("connections", "9" * 5000),
        ("weight_limit", "39"),
        ("weight_limit", "-1"),
        ("safety_fraction", "1"),
        ("quick_retries", ""),
        ("patience_s", "-1"),
        ("recv_window_ms", "0"),
        ("recv_window_ms", "60001"),
        ("recv_window_ms", "0.5"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name) as caught:
        create_venue({name: value})
    assert "hush" not in str(caught.value)


def test_an_unknown_option_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"'colour'; allowed are base_url, archive_url, .*patience_s"):
        create_venue({"colour": "red"})


async def test_the_venue_is_one() -> None:
    factory: VenueFactory = create_venue
    venue: Venue = factory({"weight_limit": "100"})
    assert (venue.code, venue.name, venue.kinds) == ("BNC", "Binance", SUPPORT["BNC"])
    assert budget_of(venue, "request weight").limit == 100
    await venue.close()
    await venue.close()
