"""The section ``[access]`` of the configuration, and who needs no token under `/api/dms`."""

from pathlib import Path

import pytest

from markethub.config import Settings, load_settings
from markethub.config.nodes import DmsSettings
from markethub.domain.errors import InputError
from markethub.server import access_rules
from tests.own_logs import own_logs


def write(folder: Path, *lines: str) -> Path:
    file = folder / "hub.toml"
    file.write_text("\n".join(("[access]", *lines)))
    return file


def test_nothing_said_is_generous_and_closed(tmp_path: Path) -> None:
    access = load_settings(write(tmp_path)).access
    assert (access.requests_per_minute, access.burst_requests, access.cors_origins) == (6_000, None, ())


def test_all_of_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETHUB_ACCESS__BURST_REQUESTS", "7")
    file = write(
        tmp_path,
        "requests_per_minute = 0",
        "failed_logins_per_minute = 3",
        'cors_origins = ["https://desk.example.com", "http://localhost:3000"]',
    )
    access = load_settings(file).access
    assert access.requests_per_minute == 0
    assert access.burst_requests == 7
    assert access.failed_logins_per_minute == 3
    assert access.cors_origins == ("https://desk.example.com", "http://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        "https://desk.example.com",
        "https://desk.example.com:8443",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "http://localhost:443",
    ],
)
def test_origins_as_browsers_spell_them(tmp_path: Path, origin: str) -> None:
    assert load_settings(write(tmp_path, f'cors_origins = ["{origin}"]')).access.cors_origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "desk.example.com",
        "https://",
        "https://*.example.com",
        "https://desk.example.com/",
        "https://desk.example.com/page",
        "https://desk.example.com?a=b",
        "https://DESK.example.com",
        "HTTPS://desk.example.com",
        "https://desk.example.com:443",
        "http://desk.example.com:80",
        "https://desk.example.com:",
        "https://desk.example.com:99999",
        "https://user:secret@desk.example.com",
        "https://bücher.example",
        "https://a b",
        "ftp://desk.example.com",
        "file://desk",
        "https://[::1",
    ],
)
def test_what_no_browser_would_send_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(InputError, match=r"access\.cors_origins"):
        load_settings(write(tmp_path, f'cors_origins = ["https://good.example.com", "{origin}"]'))


@pytest.mark.parametrize(
    "line",
    [
        "requests_per_minute = -1",
        "requests_per_minute = 1000001",
        "burst_requests = 0",
        "failed_logins_per_minute = 0",
        'cors_origins = "https://desk.example.com"',
        "cors_origin = []",
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=f"access.{line.split(maxsplit=1)[0]}"):
        load_settings(write(tmp_path, line))


def test_a_door_of_dms_that_is_open_to_all_is_told_of() -> None:
    with own_logs() as quiet:
        assert access_rules(Settings()).dms_auth == "local"
        assert access_rules(Settings(dms=DmsSettings(auth="token"))).dms_auth == "token"
    assert quiet == []
    with own_logs() as logs:
        assert access_rules(Settings(dms=DmsSettings(auth="none"))).dms_auth == "none"
    [told] = logs
    assert told["log_level"] == "warning"
    assert "dms.auth is none" in told["event"]
