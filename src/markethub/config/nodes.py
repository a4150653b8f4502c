"""The group of nodes: what this one is, whom it follows, who follows it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from markethub.config.section import Section
from markethub.domain.errors import InputError
from markethub.domain.node import NodeAddress, Role
from markethub.domain.selection import Selection

NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._-]{1,253}$")]
Port = Annotated[int, Field(ge=1, le=65535)]

_LEAST_TOKEN = 24


class NodeSettings(Section):
    """What this node is in its group."""

    role: Role = Role.MASTER
    """`master` fetches and serves; `slave` follows a master and only serves. A promotion outlasts this."""
    name: NodeName = "master"
    """This node's name; a slave's is the one that its master has it under."""
    advertised_host: Host = "localhost"
    """The host under which `/api/dms/nodes` shows this node."""
    advertised_port: Port | None = None
    """The port shown there; the one that it listens on when left out."""
    cluster_token: SecretStr | None = None
    """What the nodes of one group show each other, 24 characters or more. Better by the variable
    `MARKETHUB_NODE__CLUSTER_TOKEN` or by `cluster_token_file` than in a file that others read."""
    cluster_token_file: Path | None = None
    """A file with that token; refused unless only its owner can read it (`chmod 600`)."""
    tls_ca_file: Path | None = None
    """The certificates (PEM) to trust when other nodes are asked over TLS; the system's when left out."""
    status_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    """Seconds after which a node that tells no status is listed as `offline`."""
    keep_revisions: Annotated[int, Field(ge=1_000, le=10**12)] = 10_000_000
    """Revisions of the change log that a master keeps for its slaves; one that is further behind compares
    contents instead."""

    @field_validator("cluster_token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_cluster_token(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.cluster_token is not None and self.cluster_token_file is not None:
            raise ValueError("name at most one of cluster_token and cluster_token_file")
        return self


def check_cluster_token(text: str) -> str:
    """Return a token that can be one; ValueError, without quoting it, if it cannot."""
    if not (_LEAST_TOKEN <= len(text) <= 1000 and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError(f"a cluster token has {_LEAST_TOKEN} or more printable ASCII characters, no space")
    return text


class _AddressSettings(Section):
    host: Host
    """Host name or address."""
    port: Port = 11183
    """Port."""
    tls: bool = False
    """Whether it is asked over HTTPS."""


class SlaveSettings(_AddressSettings):
    """One node that follows this one."""

    name: NodeName
    """Its name, as in its own `node.name`."""
    enabled: bool = True
    """Whether it is told of news, and asked how it is."""

    @property
    def address(self) -> NodeAddress:
        return NodeAddress(self.name, self.host, self.port, self.tls)


class SelectionSettings(Section):
    """Which part of the master's data a slave holds; each list that is left out lets everything pass."""

    venues: tuple[str, ...] = ()
    """Exchanges and stock markets, such as `OKX` or `US`."""
    symbols: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    """Names such as `BTC_USDT.BNC` or `US.AAPL`; they go along with every question to the master."""
    intervals: tuple[str, ...] = ()
    """Bar widths."""
    kinds: tuple[str, ...] = ()
    """Kinds of data, such as `kline` or `fill`."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        try:
            self.to_selection()
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    def to_selection(self) -> Selection:
        return Selection.parse(self.model_dump())


class MasterSettings(_AddressSettings):
    """Whom this node follows while it is a slave, and how."""

    name: NodeName = "master"
    """The master's name."""
    select: SelectionSettings = SelectionSettings()
    pull_every_s: Annotated[float, Field(ge=0.1, le=86_400)] = 10.0
    """Seconds after which a slave asks for news though nobody told it of any."""
    verify_every_s: Annotated[float, Field(ge=1, le=31_536_000)] = 86_400.0
    """Seconds from one comparison of all contents to the next."""
    bandwidth_mb_s: Annotated[float, Field(ge=0.05, le=100_000)] | None = None
    """The most megabytes a second that replication may take; no limit when left out."""
    compression: Literal["none", "lz4", "zstd"] = "lz4"
    """How what is sent is packed."""
    timeout_s: Annotated[float, Field(ge=0.1, le=600)] = 30.0
    """Seconds of silence after which a request to the master is given up and made again."""

    @property
    def address(self) -> NodeAddress:
        return NodeAddress(self.name, self.host, self.port, self.tls)


class DmsSettings(Section):
    """The doors of `/api/dms`."""

    auth: Literal["local", "token", "none"] = "local"
    """Who needs no token: `local`, programs on this machine; `token`, nobody; `none`, anybody who can reach
    the port, which is for trusted networks only."""
    max_read_rows: Annotated[int, Field(ge=1, le=10**9)] = 5_000_000
    """Rows that one read may answer with; a larger one is refused and has to be asked in parts."""
    max_read_symbols: Annotated[int, Field(ge=1, le=50_000)] = 10_000
    """Symbols that one batch may name."""
