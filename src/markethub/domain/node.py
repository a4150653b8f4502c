"""Nodes of one group."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A master fetches data and is followed; a slave follows one. Both serve reads."""

    MASTER = "master"
    SLAVE = "slave"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a node is; only the configuration says so, never a message."""

    name: str
    host: str
    port: int
    tls: bool = False

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"
