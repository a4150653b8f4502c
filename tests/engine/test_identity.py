import socket
import subprocess
import sys

import pytest

from markethub.engine.identity import is_surely_dead, new_worker_id


def test_every_start_is_another_worker() -> None:
    assert len({new_worker_id() for _ in range(20)}) > 1


def test_a_process_that_has_ended_is_dead_and_this_one_is_not() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert not is_surely_dead(f"{socket.gethostname()}-{ended.pid}-0a1b")  # not reaped yet
    ended.wait()
    assert is_surely_dead(f"{socket.gethostname()}-{ended.pid}-0a1b")
    assert not is_surely_dead(f"another.{socket.gethostname()}-{ended.pid}-0a1b")
    assert not is_surely_dead(new_worker_id())


@pytest.mark.parametrize(
    "worker_id", ["worker-01", "", "-1-0a1b", "{host}-0-0a1b", "{host}-1", "{host}-{huge}-0a1b"]
)
def test_what_cannot_be_known_is_not_dead(worker_id: str) -> None:
    assert not is_surely_dead(worker_id.format(host=socket.gethostname(), huge="9" * 10))
