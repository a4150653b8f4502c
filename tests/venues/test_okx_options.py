"""Options arrive as text and are checked before anything is built."""

from importlib.metadata import entry_points

import pytest

from markethub.domain.errors import InputError
from markethub.domain.support import DataKind
from markethub.ports.venue import Venue, VenueFactory
from markethub.venues.okx import create_venue
from markethub.venues.okx.options import OkxOptions


def test_defaults() -> None:
    options = OkxOptions.parse({})
    assert options == OkxOptions()
    assert not OkxOptions.parse({"simulated": "false"}).simulated
    assert options.base_url == "https://www.okx.com"


def test_everything_can_be_set() -> None:
    options = OkxOptions.parse(
        {
            "base_url": "https://eea.okx.com/",
            "request_timeout_s": "2.5",
            "connections": "3",
            "safety_fraction": "0.1",
            "quick_retries": "0",
            "patience_s": "7",
            "simulated": "true",
        }
    )
    assert options == OkxOptions("https://eea.okx.com", 2.5, 3, 0.1, 0, 7.0, simulated=True)
    assert type(options.connections) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "ftp://host"),
        ("base_url", "https://user:hush@host"),
        ("request_timeout_s", "0"),
        ("request_timeout_s", "nan"),
        ("connections", "2.5"),
        ("connections", "9" * 5000),
        ("safety_fraction", "1"),
        ("quick_retries", ""),
        ("patience_s", "-1"),
        ("simulated", "True"),
        ("simulated", ""),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"OKX option {name}") as caught:
        create_venue({name: value})
    assert "hush" not in str(caught.value)


def test_an_unknown_option_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"OKX has no option 'colour'; allowed are base_url, .*patience_s"):
        create_venue({"colour": "red"})


async def test_the_venue_is_one() -> None:
    factory: VenueFactory = create_venue
    venue: Venue = factory({"safety_fraction": "0.5"})
    assert (venue.code, venue.name, venue.kinds) == ("OKX", "OKX", frozenset(DataKind))
    assert venue.kline_archive is None
    await venue.close()
    await venue.close()


def test_the_venue_is_found_by_its_entry_point() -> None:
    (point,) = entry_points(group="markethub.venues", name="OKX")
    assert point.load() is create_venue
