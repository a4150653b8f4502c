"""What the sections of nodes refuse, and how it is told."""

from pathlib import Path

import orjson
import pytest

from markethub.api.bodies import MAX_BODY_BYTES
from markethub.config import load_settings
from markethub.domain.errors import InputError

_MOST = 10_000
_TOKEN = "0123456789-0123456789-0123456789"


def _configured(folder: Path, count: int) -> Path:
    # as long as a symbol can be
    names = [f"{number:040}_{'U' * 40}.BNC" for number in range(count)]
    file = folder / "hub.toml"
    file.write_text(
        f'[node]\nrole = "slave"\ncluster_token = "{_TOKEN}"\n'
        f'[master]\nhost = "10.0.0.1"\n[master.select]\nsymbols = {names}\n'
    )
    return file


def test_the_longest_list_of_symbols_fits_a_request(tmp_path: Path) -> None:
    settings = load_settings(_configured(tmp_path, _MOST))
    assert settings.master is not None
    selection = settings.master.select.to_selection()
    assert len(selection.symbols) == _MOST
    room_for_the_rest = 100_000
    assert len(orjson.dumps(selection.to_texts())) < MAX_BODY_BYTES - room_for_the_rest


def test_a_longer_one_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"setting master\.select\.symbols: .* at most 10000 items"):
        load_settings(_configured(tmp_path, _MOST + 1))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('[master]\nname = "main"', "setting master.host is missing"),
        ('[node]\nrole = "slave"', "settings: node.role is slave, but no [master] says whom to follow"),
        (
            '[master]\nhost = "10.0.0.1"',
            (
                "settings: node.cluster_token or node.cluster_token_file is needed where "
                "[master] or [[slaves]] is"
            ),
        ),
        (
            '[master]\nhost = "10.0.0.1"\n[master.select]\nvenues = ["binance"]',
            "setting master.select: venue 'binance' is not a code such as OKX or US",
        ),
        ("[node]\nrank = 1", "setting node.rank is unknown"),
    ],
)
def test_what_cannot_be_is_told_in_plain_words(tmp_path: Path, lines: str, told: str) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(lines)
    with pytest.raises(InputError) as refused:
        load_settings(file)
    assert str(refused.value) == told
