"""A random game with a group: work for the master, bad weather on the links, kill -9 at any moment."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from markethub import DataHub
from tests.replication.group_processes import MASTER, NAMES, PATIENCE_S, Group
from tests.replication.link_proxy import draw_weather

_SYMBOLS = ("BTC_USDT", "ETH_USDT", "SOL_USDT")
_VENUES = ("BNC", "OKX", "GIO")
_WIDTHS_MIN = {"1m": 1, "5m": 5, "1h": 60}
_MOST_BARS = 20_000
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_ROW_FAULTS = ("amended_bar", "missing_bar", "bad_bar")

Work = Callable[[DataHub, random.Random], Mapping[str, Any]]


def _klines(client: DataHub, chance: random.Random) -> Mapping[str, Any]:
    venue, interval = chance.choice(_VENUES), chance.choice(list(_WIDTHS_MIN))
    start = _FIRST_DAY + timedelta(hours=chance.randrange(24 * 60))
    bars = chance.randrange(10, _MOST_BARS if venue == "BNC" else 1_000)
    return client.backfill_klines(
        [f"{symbol}.{venue}" for symbol in chance.sample(_SYMBOLS, chance.randint(1, 3))],
        intervals=[interval],
        start_time=start,
        end_time=start + timedelta(minutes=bars * _WIDTHS_MIN[interval]),
        mode=chance.choice(["missing", "all"]),
    )


def _snapshots(client: DataHub, chance: random.Random) -> Mapping[str, Any]:
    symbols = [f"{symbol}.{chance.choice(_VENUES)}" for symbol in _SYMBOLS]
    return chance.choice([client.backfill_ticker, client.backfill_orderbook])(symbols)


def _listings(client: DataHub, chance: random.Random) -> Mapping[str, Any]:
    return client.backfill_symbols([chance.choice(_VENUES)])


def _ledgers(client: DataHub, chance: random.Random) -> Mapping[str, Any]:
    if chance.random() < 0.3:
        return client.backfill_balances(accounts=["OKX_MM01", "BNC_MM01"])
    call = chance.choice([client.backfill_orders, client.backfill_fills, client.backfill_transfers])
    return call(["OKX_MM01"], start_time=datetime.now(UTC) - timedelta(days=chance.randint(1, 5)))


_WORK: Mapping[Work, int] = {_klines: 2, _snapshots: 2, _listings: 1, _ledgers: 1}


@dataclass
class Game:
    """Plays on a group whose nodes have their first places; equal seeds draw equal moves."""

    group: Group
    seed: int
    queued: list[int] = field(default_factory=list)
    """Executions that the master has acknowledged."""
    kills: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._doomed: list[str] = []

    def play(self, rounds: int) -> None:
        """That many rounds, where each node's turn to be killed comes once in three.

        At their end links may be bad, and nodes may be starting.
        """
        for _ in range(rounds):
            self._give_work()
            for link in self.group.links.values():
                if self._chance.random() < 0.5:
                    link.turn(draw_weather(self._chance))
            time.sleep(self._chance.uniform(0.0, 0.6))
            self._doomed = self._doomed or self._chance.sample(NAMES, len(NAMES))
            self._kill(self._doomed.pop())

    def settle(self) -> None:
        """Heal everything, and wait until all that was acknowledged is done."""
        self.group.heal()
        self.group.start(*(name for name in NAMES if not self.group[name].is_running))
        self.group.wait_until_ready(*NAMES)
        with self.group[MASTER].process.client() as client:
            for execution_id in self.queued:
                client.wait(str(execution_id), timeout=PATIENCE_S)
        self.queued.clear()

    def _give_work(self) -> None:
        # Waited for, because a game where the master is seldom there has nothing to replicate.
        self.group.wait_until_ready(MASTER)
        for work in (_klines, *self._chance.choices(list(_WORK), weights=list(_WORK.values()))):
            if self._chance.random() < 0.3:
                self._plan_fault()
            with self.group[MASTER].process.client() as client:
                self.queued.append(work(client, self._chance)["execution_id"])

    def _plan_fault(self) -> None:
        fault = {"path": "/api/v3/klines", "kind": self._chance.choice(_ROW_FAULTS), "times": 1}
        faults = f"{self.group.sandbox_url}/sandbox/faults"
        httpx2.post(faults, json=[fault], timeout=PATIENCE_S).raise_for_status()

    def _kill(self, name: str) -> None:
        node = self.group[name]
        if node.is_running:
            node.process.kill()
            self.kills += 1
        self.group.launch(name)
        if self._chance.random() < 0.5:  # else the others go on, or are killed, while it starts
            self.group.wait_until_ready(name)
