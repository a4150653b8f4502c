"""HTTPS: what the server shows, whom nodes trust, and how clients of this machine know the server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from markethub.config import ServerSettings, Settings
from markethub.config.nodes import MasterSettings, NodeSettings
from markethub.domain.errors import InputError, UnavailableError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.span import Span
from markethub.replication.link import Link
from markethub.services.hub import Hub
from markethub.testing.store_contract import BTC, bars_at, minutes
from markethub.tls import check_server_tls, shown_certificate, trust_of
from tests.certificates import Certificate, make_authority, make_certificate
from tests.running_node import GROUP_TOKEN, Places, held_places, node_settings, running_node


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificate:
    return make_authority(folder, "authority")


@pytest.fixture(scope="module")
def shown(folder: Path, authority: Certificate) -> Certificate:
    return make_certificate(folder, "hub", authority, "127.0.0.1")


def server_settings(cert_file: Path, key_file: Path) -> Settings:
    return Settings(server=ServerSettings(tls_cert_file=cert_file, tls_key_file=key_file))


def test_a_good_certificate(shown: Certificate, authority: Certificate, folder: Path) -> None:
    check_server_tls(Settings())
    check_server_tls(server_settings(shown.cert_file, shown.key_file))
    assert shown_certificate(Settings()) is None
    chain = folder / "chain.crt"
    chain.write_bytes(shown.cert_file.read_bytes() + authority.cert_file.read_bytes())
    own = shown_certificate(server_settings(chain, shown.key_file))
    assert own == shown.cert_file.read_text()


def test_what_is_wrong_names_its_setting(shown: Certificate, authority: Certificate, tmp_path: Path) -> None:
    nowhere, odd, locked = tmp_path / "nowhere", tmp_path / "odd", tmp_path / "locked.key"
    odd.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    subprocess.run(
        ["openssl", "pkey", "-in", shown.key_file, "-aes256", "-passout", "pass:x", "-out", locked],
        check=True,
    )
    cases: list[tuple[Path, Path, str]] = [
        (nowhere, shown.key_file, "server.tls_cert_file: .*nowhere cannot be read: No such file"),
        (tmp_path, shown.key_file, "server.tls_cert_file: .* cannot be read: Is a directory"),
        (shown.key_file, shown.key_file, "server.tls_cert_file: .*hub.key has no PEM block of a certificate"),
        (shown.cert_file, nowhere, "server.tls_key_file: .*nowhere cannot be read"),
        (
            shown.cert_file,
            shown.cert_file,
            "server.tls_key_file: .*hub.crt has no PEM block of a private key",
        ),
        (
            shown.cert_file,
            authority.key_file,
            "server.tls_key_file: .* is not the unencrypted private key of",
        ),
        (shown.cert_file, locked, "server.tls_key_file: .* is not the unencrypted private key of"),
        (odd, shown.key_file, "server.tls_key_file: .* is not the unencrypted private key of"),
    ]
    for cert_file, key_file, words in cases:
        with pytest.raises(InputError, match=words):
            check_server_tls(server_settings(cert_file, key_file))
    assert trust_of(Settings()) is None
    for ca_file, words in (
        (nowhere, "cannot be read"),
        (odd, "has no certificate"),
        (locked, "no PEM block"),
    ):
        with pytest.raises(InputError, match=f"node.tls_ca_file: .*{words}"):
            trust_of(Settings(node=NodeSettings(tls_ca_file=ca_file)))


@pytest.fixture
def places() -> Iterator[Places]:
    with held_places() as places:
        yield places


async def test_nodes_replicate_over_tls_and_trust_no_other_authority(
    shown: Certificate, authority: Certificate, folder: Path, tmp_path: Path, places: Places
) -> None:
    master_settings = node_settings(tmp_path / "master")
    files = {"cert_file": shown.cert_file, "key_file": shown.key_file}
    async with running_node(master_settings, places.master, **files) as master:
        await _write(master)
        slave_settings = node_settings(
            tmp_path / "slave",
            Role.SLAVE,
            "backup1",
            master=MasterSettings(host="127.0.0.1", port=places.master, tls=True),
            node={"tls_ca_file": authority.cert_file},
        )
        async with running_node(slave_settings, places.slave) as slave:
            following = slave.node.following
            assert following is not None
            await following.request(None, Span(0, 4_102_444_800_000))
            assert len(slave.store.read(BTC, Span(0, 4_102_444_800_000))) == 5
        other = make_authority(folder, "other").cert_file
        for ca_file in (other, None):
            await _is_refused(NodeAddress("master", "127.0.0.1", places.master, tls=True), ca_file)


async def _write(hub: Hub) -> None:
    hub.store.upsert(BTC, bars_at(minutes(0, 5))).result()


async def _is_refused(address: NodeAddress, ca_file: Path | None) -> None:
    trust = trust_of(Settings(node=NodeSettings(tls_ca_file=ca_file)))

    async def hear(_told: str) -> None:
        raise AssertionError("nobody was trusted")

    link = Link("backup1", GROUP_TOKEN, lambda: "1", hear, trust)
    try:
        with pytest.raises(UnavailableError, match="certificate"):
            await link.ask(address, "GET", "/api/dms/replication/state", timeout_s=10)
    finally:
        await link.close()
