"""A slave that serves HTTPS, as seen by the commands of its machine: it refuses work until it is promoted."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import orjson
import pytest

from markethub import DataHub
from markethub.cli.doctor.finding import Level
from markethub.cli.doctor.node import check_hub, find_server
from markethub.domain.errors import UnavailableError
from markethub.replication.link import EPOCH_HEADER, NODE_HEADER
from tests.certificates import Certificate, make_authority, make_certificate
from tests.cli.invocation import Run
from tests.hub_process import HubProcess

_MASTER = "http://127.0.0.1:1"
_SLAVE = {
    "MARKETHUB_NODE__ROLE": "slave",
    "MARKETHUB_NODE__NAME": "backup1",
    "MARKETHUB_NODE__CLUSTER_TOKEN": "0123456789-0123456789-0123456789",
    "MARKETHUB_MASTER__HOST": "127.0.0.1",
    "MARKETHUB_MASTER__PORT": "1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("promotion")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificate:
    return make_authority(folder, "authority")


@pytest.fixture(scope="module")
def slave(folder: Path, authority: Certificate) -> Iterator[HubProcess]:
    # The name that others call it by, not the loopback address that this machine's programs use.
    shown = make_certificate(folder, "public", authority, "hub.example.com")
    tls = {
        "MARKETHUB_SERVER__TLS_CERT_FILE": str(shown.cert_file),
        "MARKETHUB_SERVER__TLS_KEY_FILE": str(shown.key_file),
    }
    hub = HubProcess(folder / "data", "http://127.0.0.1:1", _SLAVE | tls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKETHUB_DATA_DIR", str(hub.data_dir))  # there lies the certificate
        hub.start()
    try:
        yield hub
        assert hub.stop() == 0
    finally:
        hub.kill()


@pytest.fixture
def at_slave(cli: Run, slave: HubProcess, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line of whoever owns the slave's data folder and configuration."""
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(slave.data_dir))
    for name, value in _SLAVE.items():
        monkeypatch.setenv(name, value)
    return cli


def test_this_machines_clients_know_the_server_by_its_certificate(
    slave: HubProcess, folder: Path, authority: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = orjson.loads((slave.data_dir / "server.json").read_bytes())
    assert told["url"].startswith("https://127.0.0.1:")
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(slave.data_dir))
    with DataHub() as client:
        assert client.series()["data"] == []
    assert check_hub(find_server(slave.data_dir)).level is Level.OK
    # Not even its own authority's other certificates are taken for it.
    impostor = make_certificate(folder, "impostor", authority, "127.0.0.1").cert_file.read_text()
    copy = folder / "copy"
    copy.mkdir()
    (copy / "server.json").write_bytes(orjson.dumps({**told, "certificate": impostor}))
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(copy))
    with DataHub(token="mh_1_x") as client, pytest.raises(UnavailableError, match="CERTIFICATE"):
        client.get_node_status()
    found = find_server(copy)
    assert found is not None
    assert check_hub(found).level is Level.FAIL


def test_a_slave_refuses_work_until_it_is_promoted(at_slave: Run) -> None:
    refused = at_slave("jobs", "run", "cleanup_logs")
    assert (refused.code, refused.out) == (1, "")
    assert (
        refused.err
        == f"error: this node is a slave: it runs no jobs; run the job on the master at {_MASTER}\n"
    )
    # whatever is asked of it, also what it could not do as a master: nothing is subscribed here
    for asked in (("symbols", "--exchange", "BNC"), ("ticker", "--exchange", "BNC")):
        refused = at_slave("backfill", *asked)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == f"error: this node is a slave: it only reads; ask the master at {_MASTER}\n"

    promoted = at_slave("promote")
    assert (promoted.code, promoted.out) == (0, "this node is the master now, with epoch 2\n")
    assert "make the former master a slave" in promoted.err
    again = at_slave("promote", "--json")
    assert (again.code, again.out) == (1, "")
    assert again.err == "error: this node is the master already, with epoch 2\n"

    assert at_slave("jobs", "run", "cleanup_logs").code == 0  # though the configuration says slave
    (row,) = json.loads(at_slave("audit", "list", "--action", "node.promote", "--json").out)["data"]
    assert (row["target"], row["details"]) == ("backup1", {"epoch": 2})


def test_a_slave_that_does_not_run_refuses_too(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _SLAVE.items():
        monkeypatch.setenv(name, value)
    assert "it runs no jobs" in cli("jobs", "run", "cleanup_logs", "--data-dir", str(tmp_path)).err


def test_a_master_that_was_replaced_runs_no_jobs(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = _SLAVE["MARKETHUB_NODE__CLUSTER_TOKEN"]
    configuration = tmp_path / "markethub.toml"
    configuration.write_text(
        f'[node]\nrole = "master"\nname = "main"\ncluster_token = "{token}"\n'
        f'[[slaves]]\nname = "backup1"\nhost = "127.0.0.1"\nport = 1\n'
    )
    configuration.chmod(0o600)
    monkeypatch.setenv("MARKETHUB_DATA_DIR", str(tmp_path / "data"))
    run_cleanup = ("jobs", "run", "cleanup_logs", "--config", str(configuration))
    hub = HubProcess(tmp_path / "data", "http://127.0.0.1:1", config=configuration)
    try:
        hub.start()
        assert cli(*run_cleanup).code == 0
        headers = {"Authorization": f"Bearer {token}", NODE_HEADER: "backup1", EPOCH_HEADER: "7"}
        status = f"{hub.url}/api/dms/status"
        assert httpx2.get(status, headers=headers, timeout=60).status_code == 200
        refused = cli(*run_cleanup)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == (
            "error: this master was replaced: it runs no jobs; run the job on the one that replaced it\n"
        )
        assert hub.stop() == 0
    finally:
        hub.kill()


def test_the_role_can_be_given_at_the_start(cli: Run, tmp_path: Path) -> None:
    started = cli("serve", "--role", "slave", "--data-dir", str(tmp_path))
    assert started.code == 1
    assert "node.role is slave, but no [master] says whom to follow" in started.err
