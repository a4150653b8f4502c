"""What ``doctor`` finds about the other nodes of a group."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from markethub.cli.doctor.finding import Finding, Level
from markethub.cli.doctor.group import check_group
from markethub.cli.doctor.node import find_server
from markethub.config import Settings
from markethub.config.nodes import NodeSettings, SlaveSettings
from tests.served_group import CLUSTER_TOKEN, RESTING, SLAVE, ServedGroup, served_group

_GONE = SlaveSettings(name="gone", host="127.0.0.1", port=1)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGroup]:
    with served_group(tmp_path_factory.mktemp("doctor"), [_GONE]) as group:
        yield group


def group_settings(folder: Path, **node: object) -> Settings:
    return Settings(data_dir=folder, node=NodeSettings.model_validate(node), slaves=[_GONE])


def levels(findings: Iterator[Finding]) -> dict[str, Level]:
    return {found.check: found.level for found in findings}


def test_each_node_is_told(group: ServedGroup, tmp_path: Path) -> None:
    told = {"url": group.master.url, "pid": os.getpid()}
    (tmp_path / "server.json").write_text(json.dumps(told))
    (tmp_path / "admin.token").write_text(group.master.tokens["admin"])
    server = find_server(tmp_path)
    found = list(check_group(group_settings(tmp_path, cluster_token=CLUSTER_TOKEN), server))
    assert levels(iter(found)) == {
        "cluster token": Level.OK,
        "node master": Level.OK,
        f"node {SLAVE}": Level.OK,
        f"node {RESTING}": Level.OK,
        "node gone": Level.FAIL,
    }
    assert "does not answer" in found[-1].detail
    # and of a hub that lets nobody in
    (tmp_path / "admin.token").write_text("mh_1_wrong")
    assert levels(check_group(group_settings(tmp_path, cluster_token=CLUSTER_TOKEN), server)) == {
        "cluster token": Level.OK,
        "nodes": Level.WARN,
    }


def test_a_token_that_others_can_read_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "cluster.token"
    file.write_text(CLUSTER_TOKEN)
    file.chmod(0o644)
    (found,) = check_group(group_settings(tmp_path, cluster_token_file=file), None)
    assert (found.level, "chmod 600" in found.detail) == (Level.FAIL, True)
    file.chmod(0o600)
    assert levels(check_group(group_settings(tmp_path, cluster_token_file=file), None)) == {
        "cluster token": Level.OK
    }


def test_without_a_group_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(check_group(Settings(data_dir=tmp_path), None)) == []
