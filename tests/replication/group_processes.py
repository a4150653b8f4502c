"""A master and two slaves as real processes, every request between them over a link that can be made bad."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx2

from markethub.domain.selection import EVERYTHING, Selection
from tests.hub_process import HubProcess, running_sandbox_process, start_command
from tests.replication.link_proxy import FINE, Link, running_links
from tests.sandbox_keys import key_variables

MASTER, BACKUP1, BACKUP2 = NAMES = ("master", "backup1", "backup2")
SELECTED = Selection.parse({"venues": ["BNC", "US"], "intervals": ["1h", "5m", "1d"]})
"""What backup2 holds; backup1 holds everything."""

PATIENCE_S = 90.0
"""How long what must come to pass may take on a busy machine."""

# The tasks that the document's examples name; no others.
_TASKS = """
[scheduler]
default_jobs = false
[jobs.daily_update_us]
type = "kline"
category = "sync"
parameters = { symbols = ["US.AAPL", "US.TSLA", "US.GOOGL"], intervals = ["1d"], lookback_days = 5000 }
[jobs.daily_update_hk]
type = "kline"
category = "sync"
parameters = { symbols = ["HK.00700"], intervals = ["1d"], lookback_days = 5000 }
"""

_TOKEN = "token-of-the-group-0123456789"
_DETAIL_CHARS = 4000

# A busy machine makes no node offline; one that was killed refuses at once.
_STATUS_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """What the configuration makes of a node: a slave where it follows somebody."""

    follows: str | None = None
    slaves: tuple[str, ...] = ()
    selection: Selection = EVERYTHING


# Backup1 is to take over one day, so its configuration knows already who will follow it then.
FIRST_PLACES: Mapping[str, Place] = {
    MASTER: Place(slaves=(BACKUP1, BACKUP2)),
    BACKUP1: Place(follows=MASTER, slaves=(BACKUP2, MASTER)),
    BACKUP2: Place(follows=MASTER, selection=SELECTED),
}


@dataclass
class GroupNode:
    """One node: its process, and what it was configured to be."""

    name: str
    process: HubProcess
    place: Place

    def get(self, path: str, **params: str) -> httpx2.Response:
        return self.send("GET", path, params=params)

    def send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> httpx2.Response:
        """Ask `/api/dms` as a program on the same machine does, without a token."""
        with httpx2.Client(trust_env=False, timeout=PATIENCE_S) as client:
            return client.request(method, f"{self.process.url}/api/dms{path}", params=params, json=body)

    def ask(self, path: str, **params: str) -> Any:  # noqa: ANN401 - JSON
        """The good answer of a GET."""
        response = self.get(path, **params)
        assert response.status_code == 200, f"{self.name} {path}: {response.status_code} {response.text}"
        return response.json()

    @property
    def is_running(self) -> bool:
        return self.process.process is not None and self.process.process.poll() is None


@dataclass
class Group:
    """The three nodes, the links between them, and the exchange that feeds the master."""

    folder: Path
    sandbox_url: str
    links: Mapping[tuple[str, str], Link]
    nodes: dict[str, GroupNode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, place in FIRST_PLACES.items():
            config = self.folder / f"{name}.toml"
            settings = key_variables() | _name_stock_files(self.folder / "stocks")
            process = HubProcess(self.folder / name, self.sandbox_url, settings, config)
            self.nodes[name] = GroupNode(name, process, place)

    def __getitem__(self, name: str) -> GroupNode:
        return self.nodes[name]

    def put(self, name: str, **changes: Any) -> None:  # noqa: ANN401 - fields of Place
        """Configure a node anew; it counts from its next start."""
        node = self.nodes[name]
        node.place = replace(node.place, **changes)

    def launch(self, *names: str) -> None:
        """Start nodes as they are configured now, without waiting until they serve."""
        for name in names:
            node = self.nodes[name]
            assert node.process.config is not None
            node.process.config.write_text(self._configure(node))
            node.process.launch()

    def wait_until_ready(self, *names: str) -> None:
        """Wait until nodes serve, and lead the links to where they listen now."""
        for name in names:
            self.nodes[name].process.wait_until_ready()
            for asker in NAMES:
                if asker != name:
                    self.links[asker, name].lead_to(self.nodes[name].process.url)

    def start(self, *names: str) -> None:
        self.launch(*names)
        self.wait_until_ready(*names)

    def heal(self) -> None:
        """Make all links good."""
        for link in self.links.values():
            link.turn(FINE)

    def promote(self, name: str) -> str:
        """Run `markethub promote` on the node's machine; return what it printed."""
        log = self.folder / "promote.log"
        log.unlink(missing_ok=True)
        data_dir = {"MARKETHUB_DATA_DIR": str(self.nodes[name].process.data_dir)}
        done: subprocess.Popen[bytes] = start_command(["promote"], log, data_dir)
        assert done.wait(PATIENCE_S) == 0, log.read_text()
        return log.read_text()

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        """Ask again and again; AssertionError with everybody's log when it does not come to pass."""
        end_s = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < end_s, f"never came to pass: {what}\n{self.describe()}"
            time.sleep(0.1)

    def describe(self) -> str:
        """The ends of the logs, for a failure's message."""
        return "\n".join(
            f"--- {name}: {node.process.log.read_text()[-_DETAIL_CHARS:]}"
            for name, node in self.nodes.items()
            if node.process.log.exists()
        )

    def _configure(self, node: GroupNode) -> str:
        place = node.place
        role = "master" if place.follows is None else "slave"
        lines = ["[server]", "drain_s = 1", "[node]", f'role = "{role}"', f'name = "{node.name}"']
        lines += [f'cluster_token = "{_TOKEN}"', f"status_timeout_s = {_STATUS_TIMEOUT_S}"]
        if place.follows is not None:
            port = self.links[node.name, place.follows].port
            lines += ["[master]", f'name = "{place.follows}"', 'host = "127.0.0.1"', f"port = {port}"]
            lines += ["pull_every_s = 0.5", "timeout_s = 3"]
            select = [f"{key} = {json.dumps(names)}" for key, names in place.selection.to_texts().items()]
            lines += ["[master.select]", *select]
        for slave in place.slaves:
            port = self.links[node.name, slave].port
            lines += ["[[slaves]]", f'name = "{slave}"', 'host = "127.0.0.1"', f"port = {port}"]
        return "\n".join(lines) + _TASKS


def _name_stock_files(folder: Path) -> dict[str, str]:
    return {
        f"MARKETHUB_VENUES__{market}__{option}": value
        for market in ("US", "HK")
        for option, value in (("SOURCE", "folder"), ("PATH", str(folder)))
    }


def write_stock_files(folder: Path) -> None:
    """Daily bars of January 2024 for the symbols of the document, the first one with its values."""
    folder.mkdir()
    days = [f"2024-01-{day:02d}" for day in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16, 17, 18, 19, 22, 23, 24)]
    for symbol in ("US.AAPL", "US.TSLA", "US.GOOGL", "HK.00700"):
        rows = (f"{day},150.0,155.0,149.0,{150 + place}.0,1000000" for place, day in enumerate(days))
        text = "\n".join(["Date,Open,High,Low,Close,Volume", *rows])
        (folder / f"{symbol}.1d.csv").write_text(text)


@contextmanager
def running_group(folder: Path) -> Iterator[Group]:
    """The group as FIRST_PLACES has it, everybody ready; whoever still runs at the end is killed."""
    pairs = list(permutations(NAMES, 2))
    with running_sandbox_process(folder / "sandbox.log") as sandbox_url, running_links(len(pairs)) as links:
        write_stock_files(folder / "stocks")
        group = Group(folder, sandbox_url, dict(zip(pairs, links, strict=True)))
        try:
            group.start(*NAMES)
            yield group
        finally:
            for node in group.nodes.values():
                if node.is_running:
                    node.process.kill()
