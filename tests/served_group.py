"""A master and the slave that follows it, each as `markethub serve` runs it, on loopback sockets."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from markethub.app import open_hub
from markethub.config import ServerSettings, Settings
from markethub.config.nodes import MasterSettings, NodeSettings, SlaveSettings
from markethub.config.settings import SchedulerSettings
from markethub.domain.node import Role
from markethub.services.hub import Hub
from tests.api.served_hub import ServedHub, bind_loopback, served_hub

CLUSTER_TOKEN = "a-token-of-nodes-in-tests"
SLAVE = "backup1"
RESTING = "backup2"
"""A slave that the master's configuration has disabled."""

# A busy machine makes no node offline.
_PATIENCE_S = 30.0


@dataclass
class ServedGroup:
    """Both nodes, and the hubs behind them, which run in event loops of their own threads."""

    master: ServedHub
    slave: ServedHub
    hubs: dict[str, Hub] = field(default_factory=dict)

    @contextlib.contextmanager
    def ask(self, role: str) -> Iterator[httpx2.Client]:
        """A client of the node of ``role``, on its machine and without a token."""
        served = self.master if role == "master" else self.slave
        with httpx2.Client(base_url=served.url, verify=False, trust_env=False, timeout=60) as client:
            yield client


@contextlib.contextmanager
def served_group(folder: Path, others: Sequence[SlaveSettings] = ()) -> Iterator[ServedGroup]:
    """Serve both while the block lasts; the master knows RESTING too, and ``others`` after it."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(bind_loopback()) for _ in range(2)]
        master_port, slave_port = (listener.getsockname()[1] for listener in listeners)
        nowhere = stack.enter_context(bind_loopback()).getsockname()[1]
        slaves = [
            SlaveSettings(name=SLAVE, host="127.0.0.1", port=slave_port),
            SlaveSettings(name=RESTING, host="127.0.0.1", port=nowhere, enabled=False),
            *others,
        ]
        master = _settings(
            folder / "master",
            NodeSettings(cluster_token=CLUSTER_TOKEN, status_timeout_s=_PATIENCE_S),
            slaves=slaves,
        )
        slave = _settings(
            folder / "slave",
            NodeSettings(
                role=Role.SLAVE,
                name=SLAVE,
                cluster_token=CLUSTER_TOKEN,
                advertised_host="127.0.0.1",
                status_timeout_s=_PATIENCE_S,
            ),
            master=MasterSettings(host="127.0.0.1", port=master_port, pull_every_s=0.5),
        )
        hubs: dict[str, Hub] = {}
        served = [
            stack.enter_context(
                served_hub(
                    _open(settings, listener.getsockname()[1], hubs, str(settings.node.role)),
                    listener=listener,
                )
            )
            for settings, listener in zip((master, slave), listeners, strict=True)
        ]
        yield ServedGroup(served[0], served[1], hubs)


def _open(
    settings: Settings, port: int, hubs: dict[str, Hub], role: str
) -> Callable[[], AbstractAsyncContextManager[Hub]]:
    @asynccontextmanager
    async def open_one() -> AsyncIterator[Hub]:
        async with open_hub(settings, port=port) as hub:
            hubs[role] = hub
            yield hub

    return open_one


def _settings(
    data_dir: Path,
    node: NodeSettings,
    master: MasterSettings | None = None,
    slaves: Sequence[SlaveSettings] = (),
) -> Settings:
    return Settings(
        data_dir=data_dir,
        node=node,
        master=master,
        slaves=list(slaves),
        server=ServerSettings(drain_s=0),
        scheduler=SchedulerSettings(enabled=False),
    )
