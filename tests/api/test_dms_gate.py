"""Who may come in under `/api/dms`, and what nodes of the group are told there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import httpx2
import pytest

from markethub.api.access import AccessRules
from markethub.api.app import create_api
from markethub.domain.node import Role
from markethub.replication.link import EPOCH_HEADER, NODE_HEADER
from markethub.services.audit import list_audit
from tests.api.dms_door import CLUSTER_TOKEN, Auth, Door, open_door

READ, WRITE = ("GET", "/api/dms/status"), ("POST", "/api/dms/sync/trigger")
ADMIN, NODES_ONLY = ("POST", "/api/dms/promote"), ("GET", "/api/dms/replication/state")
ELSEWHERE = "203.0.113.9"
WRONG_TOKENS = [
    "", "Bearer", "Bearer x", "Basic YTpi", "Bearer mh_1_wrong", f"Bearer mh_99999_{'a' * 64}",
    f"Bearer {CLUSTER_TOKEN}x", f"Bearer {CLUSTER_TOKEN[:-1]}", f"Basic {CLUSTER_TOKEN}",
]  # fmt: skip
NOT_OF_THIS_MACHINE = [
    {"Origin": "https://example.com"},
    {"Origin": "null"},
    {"Host": "rebound.example.com"},
    {"Host": "localhost.example.com:11183"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"},
]


@pytest.fixture
async def door(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path, sqlite_template) as door:
        yield door


def detail_of(response: httpx2.Response) -> tuple[int, str]:
    body = response.json()
    assert list(body) == ["detail"]
    assert isinstance(body["detail"], str)
    assert body["detail"]
    return response.status_code, body["detail"]


async def test_programs_on_this_machine_need_no_token(door: Door) -> None:
    async with door.caller() as client:
        for method, path in (READ, WRITE):
            assert (await client.request(method, path)).status_code == 200
        page = await client.request(*WRITE, headers={"Origin": "http://localhost:3000"})
        assert page.status_code == 200


@pytest.mark.parametrize(("method", "path"), [READ, WRITE])
async def test_what_may_come_from_elsewhere_needs_one(door: Door, method: str, path: str) -> None:
    async with door.caller() as client:
        for headers in NOT_OF_THIS_MACHINE:
            response = await client.request(method, path, headers=headers)
            assert detail_of(response)[0] == 401, headers
            assert response.headers["www-authenticate"].startswith("Bearer")
            shown = headers | door.bearer("admin")
            assert (await client.request(method, path, headers=shown)).status_code == 200, headers


async def test_other_machines_need_one(door: Door) -> None:
    async with door.caller(address=ELSEWHERE) as client:
        assert detail_of(await client.request(*READ))[0] == 401
        assert (await client.request(*READ, headers=door.bearer("read:dms"))).status_code == 200


@pytest.mark.parametrize("auth", get_args(Auth))
async def test_a_wrong_token_is_refused_wherever_it_comes_from(door: Door, auth: Auth) -> None:
    async with door.caller(auth) as client:
        for shown in WRONG_TOKENS:
            for method, path in (READ, WRITE, ADMIN, NODES_ONLY):
                headers = {"Authorization": shown, EPOCH_HEADER: "7"}
                response = await client.request(method, path, headers=headers)
                assert detail_of(response)[0] == 401, (shown, path)
                assert EPOCH_HEADER not in response.headers
    assert door.hub.node.reign.fenced_by is None


@pytest.mark.parametrize("auth", get_args(Auth))
async def test_a_token_may_do_what_its_scopes_say(door: Door, auth: Auth) -> None:
    allowed = {
        READ: {"read:dms", "admin", "cluster"},
        WRITE: {"write:dms", "admin", "cluster"},
        NODES_ONLY: {"cluster"},
    }
    async with door.caller(auth) as client:
        for (method, path), holders in allowed.items():
            for scope in (*door.tokens, "cluster"):
                response = await client.request(method, path, headers=door.bearer(scope))
                if scope in holders:
                    assert response.status_code == 200, (path, scope)
                else:
                    assert detail_of(response)[0] == 403, (path, scope)
        response = await client.request(*READ, headers=door.bearer("write:dms"))
        assert "read:dms" in detail_of(response)[1]


async def test_auth_token_asks_everyone(door: Door) -> None:
    async with door.caller("token") as client:
        for method, path in (READ, WRITE):
            assert detail_of(await client.request(method, path))[0] == 401


async def test_auth_none_lets_everyone_in_but_pages_of_other_sites(door: Door) -> None:
    async with door.caller("none", address=ELSEWHERE, host="hub.example.com:11183") as client:
        for headers in ({}, {"X-Forwarded-For": ELSEWHERE}, {"Origin": "http://hub.example.com:11183"}):
            assert (await client.request(*WRITE, headers=headers)).status_code == 200, headers
        for origin in ("https://example.com", "null", "http://hub.example.com", "http://[::1"):
            response = await client.request(*WRITE, headers={"Origin": origin})
            assert detail_of(response)[0] == 401, origin


@pytest.mark.parametrize("auth", get_args(Auth))
async def test_what_needs_more_than_dms_scopes_needs_a_token_always(door: Door, auth: Auth) -> None:
    async with door.caller(auth) as client:
        assert detail_of(await client.request(*ADMIN))[0] == 401
        assert detail_of(await client.request(*ADMIN, headers=door.bearer("write:dms")))[0] == 403
        assert detail_of(await client.request(*ADMIN, headers=door.bearer("cluster")))[0] == 401
        assert detail_of(await client.request(*NODES_ONLY))[0] == 401
        # Let in: what stops it is that this node is the master already.
        assert detail_of(await client.request(*ADMIN, headers=door.bearer("admin")))[0] == 409


async def test_a_group_without_a_token_has_no_nodes(sqlite_template: Path, tmp_path: Path) -> None:
    async with open_door(tmp_path, sqlite_template, cluster_token=None) as door, door.caller() as client:
        for shown in ("Bearer", "Bearer ", "Bearer None"):
            response = await client.request(*NODES_ONLY, headers={"Authorization": shown})
            assert detail_of(response)[0] == 401


async def test_nodes_tell_each_other_their_epochs(door: Door) -> None:
    async with door.caller() as client:
        headers = door.bearer("cluster")
        for method, path in (READ, NODES_ONLY, ("GET", "/api/dms/master/status")):
            response = await client.request(method, path, headers=headers)
            assert response.headers[EPOCH_HEADER] == "1", path
        replaced = await client.request(*READ, headers=headers | {EPOCH_HEADER: "4"})
        refused = await client.request("GET", "/api/dms/replication/state", headers=headers)
        assert door.hub.node.reign.fenced_by == 4
        assert replaced.json()["fenced"] is True
        assert replaced.headers[EPOCH_HEADER] == "1"
    status, told = detail_of(refused)
    assert (status, "this master was replaced: a node was promoted with epoch 4" in told) == (409, True)


async def test_others_are_told_no_epoch_and_tell_none(door: Door) -> None:
    async with door.caller() as client:
        for headers in ({}, door.bearer("admin")):
            response = await client.request(*READ, headers=headers | {EPOCH_HEADER: "4"})
            assert response.status_code == 200
            assert EPOCH_HEADER not in response.headers
    assert door.hub.node.reign.fenced_by is None


async def test_what_is_no_epoch_is_refused(door: Door) -> None:
    shown = door.bearer("cluster")["Authorization"]
    async with door.caller() as client:
        for told in ("", "x", "-1", "1.5", "١", "9" * 16):
            headers = [(b"Authorization", shown.encode()), (EPOCH_HEADER.encode(), told.encode())]
            response = await client.request(*READ, headers=headers)
            assert detail_of(response)[0] == 400, told


async def test_the_audit_names_who_wrote(door: Door) -> None:
    node = door.bearer("cluster") | {NODE_HEADER: "backup1"}
    async with door.caller() as client:
        for headers in ({}, door.bearer("write:dms"), node, door.bearer("cluster")):
            assert (await client.request(*WRITE, headers=headers)).status_code == 200
    async with door.caller("none", address=ELSEWHERE) as client:
        assert (await client.request(*WRITE)).status_code == 200
    page = await list_audit(door.hub, action="sync.trigger")
    told = [(row.token_name, row.address) for row in reversed(page.rows)]
    assert told == [
        ("local", "127.0.0.1"),
        ("write:dms", "127.0.0.1"),
        ("node:backup1", "127.0.0.1"),
        ("node:unnamed", "127.0.0.1"),
        ("anyone", ELSEWHERE),
    ]


async def test_callers_without_a_token_are_counted_by_address_and_nodes_are_not(door: Door) -> None:
    app = create_api(access=AccessRules(requests_per_minute=1, burst_requests=2, failed_logins_per_minute=2))
    async with door.caller(app=app) as client:
        assert [(await client.request(*READ)).status_code for _ in range(3)] == [200, 200, 429]
        refused = await client.request(*READ)
        assert "127.0.0.1 may send 1 requests a minute without a token" in detail_of(refused)[1]
        assert int(refused.headers["retry-after"]) >= 1
        for _ in range(5):
            assert (await client.request(*READ, headers=door.bearer("cluster"))).status_code == 200
        wrong = {"Authorization": f"Bearer {CLUSTER_TOKEN}x"}
        statuses = [(await client.request(*NODES_ONLY, headers=wrong)).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]


async def test_the_role_is_judged_behind_the_gate(sqlite_template: Path, tmp_path: Path) -> None:
    async with open_door(tmp_path, sqlite_template, Role.SLAVE) as door, door.caller("token") as client:
        assert detail_of(await client.request(*WRITE))[0] == 401
        response = await client.request(*WRITE, headers=door.bearer("admin"))
        assert detail_of(response) == (403, "only a master does this; this node is a slave")
