"""``serve`` and ``sandbox`` as processes."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.cli.invocation import COMMAND, PATIENCE_S, clean_environment, run_process


@contextmanager
def _start(*arguments: str, cwd: Path) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "limits", "statuses"),
    [
        (signal.SIGINT, ["--weight-limit", "50"], [200, 200, 429]),
        (signal.SIGTERM, ["--weight-limit", "1", "--no-limits"], [200, 200, 200]),
    ],
    ids=["limited", "unlimited"],
)
def test_the_sandbox_tells_its_url_and_ends_cleanly(
    tmp_path: Path, number: signal.Signals, limits: list[str], statuses: list[int]
) -> None:
    with _start("sandbox", "--port", "0", "--symbols", "3", *limits, cwd=tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split("listens on ")[1].split(";")[0]
        assert process.stdout.readline() == "Point a hub at it:\n"
        settings = f"MARKETHUB_VENUES__BNC__BASE_URL={url} MARKETHUB_VENUES__BNC__ARCHIVE_URL={url}"
        assert settings in process.stdout.readline()
        if (second := time.time() % 60) > 50:  # the venue counts weight by the minute: all three in one
            time.sleep(60.5 - second)
        answers = [httpx2.get(f"{url}/api/v3/exchangeInfo", timeout=60) for _ in statuses]  # each weighs 20
        assert [answer.status_code for answer in answers] == statuses
        listed = {found["symbol"] for found in answers[0].json()["symbols"]}
        assert {"SIM0001USDT", "SIM0003USDT"} <= listed
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0


def test_a_taken_port_is_a_plain_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments in (["sandbox", "--port", port], ["serve", "--data-dir", "data", "--port", port]):
            outcome = run_process(*arguments, cwd=tmp_path)
            assert outcome.returncode == 1, arguments
            *_, line = outcome.stderr.decode().splitlines()
            assert line.startswith(f"error: cannot listen on 127.0.0.1:{port}"), arguments
            assert b"Traceback" not in outcome.stderr


def test_serve_opens_to_others_only_once_a_token_was_made(tmp_path: Path) -> None:
    arguments = ["serve", "--data-dir", "data", "--host", "0.0.0.0", "--port", "0", "--log-level", "error"]
    refused = run_process(*arguments, cwd=tmp_path)
    assert refused.returncode == 1
    *_, told = refused.stderr.decode().splitlines()
    assert told.startswith("error: server.host '0.0.0.0' can be reached from other machines")
    assert "markethub token create" in told
    assert refused.stdout == b""  # no token that nobody asked for
    assert not (tmp_path / "data").exists()
    made = run_process(
        "token", "create", "--data-dir", "data", "--name", "ops", "--scope", "admin", cwd=tmp_path
    )
    with _start(*arguments, cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "listens on http://127.0.0.1:" in line
        url = line.split("listens on ")[1].split(",")[0]
        headers = {"Authorization": f"Bearer {made.stdout.decode().strip()}"}
        assert (
            httpx2.get(f"{url}/api/v1/audit", headers=headers, timeout=60).json()["data"][-1]["action"]
            == "token.create"
        )
        assert not (tmp_path / "data" / "admin.token").exists()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_serve_reads_its_flags_and_drains_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('data_dir = "from_file"\n[server]\nport = 1\n')
    arguments = [
        "serve",
        "--config",
        "hub.toml",
        "--data-dir",
        "from_flag",
        "--port",
        "0",
        "--log-level",
        "error",
    ]
    with _start(*arguments, cwd=tmp_path) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        assert "token" in lines[0]
        assert "listens on http://127.0.0.1:" in lines[1]
        url = lines[1].split("listens on ")[1].split(",")[0]
        assert httpx2.get(f"{url}/healthz", timeout=60).json() == {"ready": True, "problems": []}
        assert (tmp_path / "from_flag" / "admin.token").exists()
        assert not (tmp_path / "from_file").exists()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
