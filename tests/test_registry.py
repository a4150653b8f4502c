"""Which process serves a data folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from markethub.domain.errors import InputError, NotFoundError
from markethub.registry import find_process, registered, write_private


def test_a_process_is_found_while_it_serves(tmp_path: Path) -> None:
    with registered(tmp_path, "http://127.0.0.1:1"):
        assert find_process(tmp_path) == os.getpid()
        written = tmp_path / "server.json"
        assert json.loads(written.read_bytes()) == {"url": "http://127.0.0.1:1", "pid": os.getpid()}
        assert written.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotFoundError, match="no hub runs on"):
        find_process(tmp_path)


def test_a_killed_process_is_not_found_though_its_number_is_in_use(tmp_path: Path) -> None:
    code = (
        "import os, sys, time, pathlib\n"
        "from markethub.registry import registered\n"
        "with registered(pathlib.Path(sys.argv[1]), 'http://127.0.0.1:1'):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child, child.stdout:
        assert child.stdout.readline() == b"ready\n"
        assert find_process(tmp_path) == child.pid
        child.kill()
    left = tmp_path / "server.json"
    left.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getpid()}))
    with pytest.raises(NotFoundError, match="has ended"):
        find_process(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"pid": "7"}', b'{"pid": -1}', b""])
def test_what_no_hub_has_written(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.json").write_bytes(content)
    monkeypatch.setattr("markethub.registry._is_locked", lambda _descriptor: True)
    with pytest.raises(InputError, match="is not what a hub writes"):
        find_process(tmp_path)


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old and open to everyone")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
