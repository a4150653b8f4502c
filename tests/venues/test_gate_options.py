"""Options arrive as text and are checked before anything is built."""

from importlib.metadata import entry_points

import pytest

from markethub.domain.errors import InputError
from markethub.domain.support import SUPPORT
from markethub.ports.venue import Venue, VenueFactory
from markethub.venues.gate import create_venue
from markethub.venues.gate.options import GateOptions


def test_defaults() -> None:
    options = GateOptions.parse({})
    assert options == GateOptions()
    assert options.base_url == "https://api.gateio.ws/api/v4"


def test_everything_can_be_set() -> None:
    options = GateOptions.parse(
        {
            "base_url": "http://127.0.0.1:8080/api/v4/",
            "request_timeout_s": "2.5",
            "connections": "3",
            "safety_fraction": "0.1",
            "quick_retries": "0",
            "patience_s": "7",
            "bulk_files": "true",
            "bulk_volume": "base",
            "bulk_url": "http://127.0.0.1:8081/",
        }
    )
    assert options == GateOptions(
        "http://127.0.0.1:8080/api/v4", 2.5, 3, 0.1, 0, 7.0, True, "base", "http://127.0.0.1:8081"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "ftp://host"),
        ("base_url", "https://user:hush@host"),
        ("request_timeout_s", "0"),
        ("request_timeout_s", "nan"),
        ("connections", "0"),
        ("connections", "2.5"),
        ("connections", "9" * 5000),
        ("safety_fraction", "1"),
        ("quick_retries", ""),
        ("patience_s", "-1"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name) as caught:
        create_venue({name: value})
    assert "hush" not in str(caught.value)


def test_an_unknown_option_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match=r"GIO has no option 'colour'; allowed are base_url, .*patience_s"):
        create_venue({"colour": "red"})


async def test_the_venue_is_one() -> None:
    factory: VenueFactory = create_venue
    venue: Venue = factory({})
    assert (venue.code, venue.name, venue.kinds) == ("GIO", "Gate.io", SUPPORT["GIO"])
    assert venue.kline_archive is None
    assert {limits.limit for limits in venue.limits()} == {200}
    await venue.close()
    await venue.close()


def test_the_entry_point() -> None:
    (point,) = entry_points(group="markethub.venues", name="GIO")
    assert point.load() is create_venue
