"""Where a node finds the token of its group."""

from pathlib import Path

import pytest

from markethub.config import Settings
from markethub.config.nodes import NodeSettings
from markethub.domain.errors import InputError
from markethub.group import read_cluster_token

_TOKEN = "0123456789-0123456789-0123456789"


def from_file(path: Path) -> str | None:
    return read_cluster_token(Settings(node=NodeSettings(cluster_token_file=path)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.token"
    path.write_text(f"{_TOKEN}\n")
    path.chmod(0o600)
    return path


def test_it_stands_in_the_settings_or_in_a_file_or_nowhere(file: Path) -> None:
    assert read_cluster_token(Settings()) is None
    settings = Settings(node=NodeSettings.model_validate({"cluster_token": _TOKEN}))
    assert read_cluster_token(settings) == _TOKEN
    assert _TOKEN not in repr(settings)
    assert from_file(file) == _TOKEN


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(InputError, match=rf"cluster_token_file: .* has mode {mode:04o}.*chmod 600"):
        from_file(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "24 or more"),
        (b"secret-but-short", "24 or more"),
        (b"secret with spaces in it 0123456789", "24 or more"),
        ("sécret-0123456789-0123456789".encode(), "is not ASCII text"),
        (b"s" * 70_000, "larger than"),
    ],
)
def test_what_is_no_token_is_not_quoted(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=words) as raised:
        from_file(file)
    trace: BaseException | None = raised.value
    while trace is not None:
        assert "cret" not in str(trace)
        trace = trace.__cause__


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere cannot be opened: No such file"):
        from_file(tmp_path / "nowhere")
