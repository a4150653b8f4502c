import asyncio
import threading

import pytest

from markethub.engine import worklog
from markethub.engine.worklog import BufferedWorkLog, LogBuffer, WorkContext
from tests.own_logs import own_logs

CONTEXT = WorkContext("work_1", 2, 3, "w1")


def buffer(woken: list[int] | None = None) -> LogBuffer:
    times = iter(range(1_000_000))
    return LogBuffer(lambda: next(times), lambda: (woken if woken is not None else []).append(1))


def test_lines_keep_level_context_and_order_and_go_to_the_process_log_too() -> None:
    lines = buffer()
    log = BufferedWorkLog(lines, CONTEXT)
    with own_logs() as structured:
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")
    taken = lines.take()
    assert [(line.level, line.message) for line in taken] == [
        ("DEBUG", "a"),
        ("INFO", "b"),
        ("WARNING", "c"),
        ("ERROR", "d"),
    ]
    assert {(line.trace_id, line.job_id, line.execution_id, line.worker_id) for line in taken} == {
        ("work_1", 2, 3, "w1")
    }
    assert [(one["log_level"], one["event"], one["trace_id"]) for one in structured] == [
        (level, text, "work_1")
        for level, text in [("debug", "a"), ("info", "b"), ("warning", "c"), ("error", "d")]
    ]
    assert lines.take() == []


def test_what_could_not_be_stored_stands_before_what_came_since() -> None:
    lines = buffer()
    log = BufferedWorkLog(lines, CONTEXT)
    log.info("a")
    log.info("b")
    taken = lines.take()
    log.info("c")
    lines.put_back(taken)
    assert [line.message for line in lines.take()] == ["a", "b", "c"]


def test_only_the_first_line_of_an_empty_buffer_calls() -> None:
    woken: list[int] = []
    log = BufferedWorkLog(buffer(woken), CONTEXT)
    log.info("a")
    log.info("b")
    assert woken == [1]


def test_memory_is_bounded_and_the_gap_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklog, "MAX_WAITING_LINES", 3)
    lines = buffer()
    log = BufferedWorkLog(lines, CONTEXT)
    for number in range(5):
        log.info(str(number))
    taken = [line.message for line in lines.take()]
    assert taken[:3] == ["0", "1", "2"]
    assert taken[3].startswith("2 log lines were dropped here")
    assert lines.dropped_total == 2
    log.info("5")
    assert [line.message for line in lines.take()] == ["5"]


def test_any_text_becomes_a_storable_line_of_bounded_length() -> None:
    lines = buffer()
    log = BufferedWorkLog(lines, CONTEXT)
    log.info("nul \x00 surrogate \ud800 数据")
    log.info("x" * 100_000)
    odd, long = lines.take()
    assert odd.message == "nul \N{REPLACEMENT CHARACTER} surrogate ? 数据"
    assert len(long.message) == worklog.MAX_MESSAGE_CHARS


async def test_threads_may_log_at_once() -> None:
    lines = buffer()
    log = BufferedWorkLog(lines, CONTEXT)
    start = threading.Barrier(4)

    def talk(name: int) -> None:
        start.wait()
        for number in range(200):
            log.info(f"{name} {number}")

    await asyncio.gather(*(asyncio.to_thread(talk, name) for name in range(4)))
    taken = [line.message for line in lines.take()]
    for name in range(4):
        assert [text for text in taken if text.startswith(f"{name} ")] == [f"{name} {n}" for n in range(200)]
