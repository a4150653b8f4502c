"""The demo: it holds, it notices when something does not, and it leaves nothing behind."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from markethub.cli.demo import story
from markethub.cli.demo.exchange import count_real_ms, read_recordings
from markethub.cli.demo.plan import DemoPlan, Request, full_plan, quick_plan
from markethub.cli.demo.processes import running_child
from markethub.cli.demo.stage import Stage, open_stage
from markethub.client import DataHub
from markethub.domain.errors import UnavailableError
from markethub.domain.interval import Interval
from markethub.domain.span import Span
from markethub.domain.times import parse_time
from tests.cli.conftest import Node
from tests.cli.invocation import COMMAND, PATIENCE_S, clean_environment, run_process

_YEAR = Span(parse_time("2018-01-01"), parse_time("2018-03-01"))
_MONTH = Span(parse_time("2024-01-01"), parse_time("2024-02-01"))
_SMALL = DemoPlan(
    requests=(
        Request("real", ("BTC_USDT.BNC",), (Interval.H1, Interval.D1), _YEAR),
        Request(
            "made up",
            ("SOL_USDT.BNC",),
            (Interval.H1,),
            Span(parse_time("2024-01-01"), parse_time("2024-02-01")),
        ),
    ),
    shown_symbol="BTC_USDT.BNC",
    shown_interval=Interval.H1,
    year=_YEAR,
)


@pytest.fixture
def stage(node: Node) -> Iterator[Stage]:
    with DataHub(node.url, (node.data_dir / "admin.token").read_text()) as hub:
        yield Stage(node.data_dir, node.sandbox_url, node.url, hub, 1, (), threading.Event())


@contextmanager
def _demo(*arguments: str, cwd: Path) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [*COMMAND, "demo", *arguments],
        cwd=cwd,
        env=clean_environment(TMPDIR=str(cwd)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


def _read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if text in line:
            return shown
    pytest.fail(f"{text!r} never came:\n{shown}")


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz", timeout=60).is_success
    except httpx2.HTTPError:
        return False


def test_every_claim_holds_and_is_shown(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert story.tell_story(stage, _SMALL)
    shown = capsys.readouterr().out
    assert "FAIL" not in shown
    assert "2018-02-08T01:00:00Z   2018-02-09T10:00:00Z     33   venue_gap" in shown
    assert "exactly the 2 holes of the recording" in shown
    assert re.search(r"SOL_USDT.BNC +1h +744 .* made up", shown)
    assert re.search(r"BTC_USDT.BNC +1h +1,382 .* real", shown)
    assert "real: inserted=0 updated=0, 0 requests for data" in shown
    # Played on data that are there already, as with --keep, it holds as well.
    assert story.tell_story(stage, _SMALL)
    assert "\x1b" not in shown


def test_a_hole_that_the_recording_lacks_is_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = read_recordings(stage.sandbox_url)
    missing_ms = parse_time("2018-02-08T01:00")
    monkeypatch.setattr(
        story,
        "read_recordings",
        lambda _: [
            replace(real, holes=tuple(hole for hole in real.holes if hole.start_ms != missing_ms))
            for real in recordings
        ],
    )
    assert not story.tell_story(stage, _SMALL)
    failed = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert failed
    assert all("holes of the recording" in line for line in failed)


def test_a_failed_backfill_is_noticed(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    unlisted = replace(_SMALL.requests[1], title="unlisted", symbols=("NOPE_USDT.BNC",))
    assert not story.tell_story(stage, replace(_SMALL, requests=(*_SMALL.requests, unlisted)))
    captured = capsys.readouterr()
    assert "FAIL  unlisted: FAILURE" in captured.out
    assert "NOPE_USDT.BNC" in captured.err


@pytest.mark.parametrize("make_plan", [full_plan, quick_plan])
@pytest.mark.parametrize("now", ["2026-01-01T00:00:30", "2026-03-31T23:59:59", "2026-11-22T12:00:00"])
def test_plans_fit_any_day_of_the_year(node: Node, make_plan: Callable[[int], DemoPlan], now: str) -> None:
    plan = make_plan(parse_time(now))
    recordings = read_recordings(node.sandbox_url)
    real = plan.requests[0]
    for interval in real.intervals:
        assert count_real_ms(recordings, "BTC_USDT", interval, real.span) == real.span.width_ms
    assert plan.year.intersect(real.span) == plan.year
    for made_up in plan.requests[1:]:
        assert made_up.span.end_ms <= parse_time(now) < made_up.span.end_ms + 60_000
        assert made_up.span.start_ms % 86_400_000 == 0


def test_the_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    outcome = run_process("demo", "--quick", cwd=tmp_path, TMPDIR=str(tmp_path))
    shown = outcome.stdout.decode()
    assert outcome.returncode == 0, shown + outcome.stderr.decode()
    assert "Everything held" in shown.splitlines()[-1]
    assert "\x1b" not in shown + outcome.stderr.decode()
    assert "chunks" in outcome.stderr.decode()
    hub_url = re.findall(r"hub +(http://\S+)", shown)[0]
    assert not _answers(hub_url)
    assert list(tmp_path.iterdir()) == []


def test_serve_stays_until_interrupted_and_keeps_its_data(tmp_path: Path) -> None:
    with _demo("--serve", "--port", "0", cwd=tmp_path) as process:
        shown = _read_until(process, "markethub executions list")
        token, folder = tmp_path / ".data" / "admin.token", tmp_path / ".data"
        assert f"$(cat {token})" in shown
        assert f"MARKETHUB_DATA_DIR={folder}" in shown
        url = re.findall(r"'(http://\S+)'", shown)[0]
        answer = httpx2.get(url, headers={"Authorization": f"Bearer {token.read_text().strip()}"}, timeout=60)
        assert len(answer.text.splitlines()) == 4
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, "Stopped" in rest) == (0, True)
    assert not (folder / "server.json").exists()


def test_the_end_of_a_process_ends_the_wait_with_its_log(tmp_path: Path, node: Node) -> None:
    ended = threading.Event()
    with (
        running_child("the sandbox", ["sandbox", "--port", "0"], tmp_path / "sandbox.log", ended) as child,
        DataHub(node.url) as hub,
    ):
        url = child.wait_until_listening()
        stage = Stage(tmp_path, url, node.url, hub, 1, (child,), ended)
        stage.check()
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(UnavailableError) as told:
            stage.wait()
    assert str(told.value).startswith("the sandbox ended by itself with exit code -9\n")
    assert f"  | Sandbox listens on {url}" in str(told.value)


class _Actor:
    """In the place of a child process."""

    def __init__(self, folder: Path) -> None:
        (folder / "admin.token").write_text("mh_1_secret")

    def wait_until_listening(self) -> str:
        return "http://127.0.0.1:1"

    def check(self) -> None: ...


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    stopped = []

    @contextmanager
    def acting(name: str, _arguments: object, log: Path, _on_end: object) -> Iterator[_Actor]:
        try:
            yield _Actor(log.parent)
        finally:
            stopped.append(name)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("markethub.cli.demo.stage.running_child", acting)
    before = signal.getsignal(number)

    def play() -> None:
        with open_stage(None, 0) as opened:
            assert opened.folder.parent == tmp_path
            assert opened.folder.stat().st_mode & 0o077 == 0
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as left:
        play()
    assert left.value.code == 128 + number
    assert stopped == ["the hub", "the sandbox"]
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) == before


def test_an_error_after_a_process_has_died_tells_of_the_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead(_Actor):
        def check(self) -> None:
            raise UnavailableError("the hub ended by itself")

    @contextmanager
    def acting(_name: str, _arguments: object, log: Path, _on_end: object) -> Iterator[_Actor]:
        yield Dead(log.parent)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("markethub.cli.demo.stage.running_child", acting)

    def play() -> None:
        with open_stage(None, 0) as opened:
            opened.hub.cancel_execution("1")  # nobody listens there

    with pytest.raises(UnavailableError, match="the hub ended by itself") as told:
        play()
    assert "no answer from" in str(told.value.__context__)


def test_a_child_that_never_listens_tells_its_log(tmp_path: Path) -> None:
    ended = threading.Event()
    with running_child("the child", ["token", "--help"], tmp_path / "child.log", ended) as child:
        with pytest.raises(
            UnavailableError, match=r"the child ended by itself with exit code 0\n.*\n.*Usage"
        ):
            child.wait_until_listening()
        assert ended.is_set()


def test_no_token_is_shown_from_a_log(tmp_path: Path) -> None:
    arguments = ["klines", "holes", "mh_1_a1b2c3", "1h"]  # a wrong symbol is quoted in the error
    with (
        running_child("the child", arguments, tmp_path / "child.log", threading.Event()) as child,
        pytest.raises(UnavailableError) as told,
    ):
        child.wait_until_listening()
    assert "mh_1_a1b2c3" in (tmp_path / "child.log").read_text()
    assert "a1b2c3" not in str(told.value)
    assert "'mh_...'" in str(told.value)
