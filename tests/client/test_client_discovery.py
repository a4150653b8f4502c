"""Where the client finds its hub, and which token it may show to whom."""

import json
from pathlib import Path

import pytest

from markethub.client.discovery import Endpoint, find_endpoint
from markethub.domain.errors import InputError, UnavailableError

LOCAL = "http://127.0.0.1:4711"


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path))
    (tmp_path / "server.json").write_text(json.dumps({"url": LOCAL + "/", "pid": 1}))
    (tmp_path / "admin.token").write_text("mh_local_secret\n")
    return tmp_path


@pytest.mark.usefixtures("data_folder")
def test_a_hub_on_this_machine_is_found_with_its_token() -> None:
    assert find_endpoint() == Endpoint(LOCAL, "mh_local_secret")


@pytest.mark.usefixtures("data_folder")
def test_given_values_win_over_the_environment_and_that_over_the_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARKETHUB_URL", "https://env.example.com")
    monkeypatch.setenv("MARKETHUB_TOKEN", "mh_env_secret")
    assert find_endpoint() == Endpoint("https://env.example.com", "mh_env_secret")
    assert find_endpoint("https://given.example.com/", "mh_given_x") == Endpoint(
        "https://given.example.com", "mh_given_x"
    )


@pytest.mark.usefixtures("data_folder")
def test_the_local_token_is_never_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_endpoint("https://elsewhere.example.com").token is None
    monkeypatch.setenv("MARKETHUB_URL", "http://127.0.0.1:4712")
    assert find_endpoint().token is None


@pytest.mark.usefixtures("data_folder")
def test_the_local_token_serves_the_local_address_however_it_was_given() -> None:
    assert find_endpoint(LOCAL).token == "mh_local_secret"


def test_a_server_without_a_token_file_is_called_without_token(data_folder: Path) -> None:
    (data_folder / "admin.token").unlink()
    assert find_endpoint() == Endpoint(LOCAL, None)


def test_no_hub_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path / "nothing"))
    with pytest.raises(UnavailableError, match="markethub serve") as caught:
        find_endpoint()
    assert str(tmp_path / "nothing") in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 5}', '{"pid": 1}', "\xff"])
def test_a_broken_registry_is_named(data_folder: Path, content: str) -> None:
    (data_folder / "server.json").write_text(content, encoding="latin-1")
    with pytest.raises(UnavailableError, match=r"server\.json"):
        find_endpoint()


def test_an_unreadable_registry_is_named(data_folder: Path) -> None:
    (data_folder / "server.json").unlink()
    (data_folder / "server.json").mkdir()
    with pytest.raises(UnavailableError, match="cannot read"):
        find_endpoint()


@pytest.mark.parametrize("url", ["localhost:11183", "ftp://host", "/path"])
def test_an_address_without_http_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="http://"):
        find_endpoint(url)


def test_the_token_shows_in_no_repr() -> None:
    assert "secret" not in repr(Endpoint(LOCAL, "mh_1_secret"))
