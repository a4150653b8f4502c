"""A stream of events and the end of the hub that it comes from."""

import signal
import socket
from pathlib import Path

import httpx2

from tests.hub_process import HubProcess


def test_streams_end_when_the_hub_begins_to_drain(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        # Work that hangs, and a hub that waits long for it: a stream shall not.
        hub = HubProcess(
            tmp_path / "data",
            f"http://127.0.0.1:{never_answers.getsockname()[1]}",
            {"MARKETHUB_SERVER__DRAIN_S": "100"},
        )
        hub.start()
        assert hub.process is not None
        try:
            with hub.client() as client:
                queued = client.backfill_symbols(["BNC"])
                events = client.events(queued)
                assert next(events)["event"] == "progress"
                found = client.get_execution(queued["trace_id"])
            told = _read_until_the_end(hub, found["id"])
            assert told.startswith(b"retry: ")
            assert b"event: end" not in told
            assert hub.process.poll() is None, "the stream was to end before the hub"
        finally:
            hub.kill()


def _read_until_the_end(hub: HubProcess, execution_id: str) -> bytes:
    """What a stream tells, when the hub is asked to end once it has begun."""
    assert hub.process is not None
    token = (hub.data_dir / "admin.token").read_text()
    with hub.client() as client:
        url = f"{client._connect()[0].url}/api/v1/executions/{execution_id}/events"
    told = b""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.stream("GET", url, headers=headers, timeout=60, trust_env=False) as response:
        for content in response.iter_bytes():
            if not told:
                hub.process.send_signal(signal.SIGTERM)
            told += content
    return told
