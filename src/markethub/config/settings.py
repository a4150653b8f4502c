"""Settings, read once: flags win over ``MARKETHUB_*`` variables, those over the configuration file."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    Field,
    PlainValidator,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from markethub.config.nodes import DmsSettings, MasterSettings, NodeSettings, SlaveSettings
from markethub.config.section import Section
from markethub.domain.errors import InputError
from markethub.domain.node import Role
from markethub.domain.subscription import MOST_RANKS, Choice, Measure, SubscriptionRule, parse_choice
from markethub.domain.support import DataKind, check_support
from markethub.domain.symbol import Account

FILE_NAME = "markethub.toml"

_USUAL_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9.:\-]+")


class ServerSettings(Section):
    """Where the API listens."""

    host: str = "127.0.0.1"
    """Address to listen on; this machine only unless told otherwise."""
    port: Annotated[int, Field(ge=0, le=65535)] = 11183
    """Port to listen on; 0 takes a free one."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How the process's log lines look; `auto` is `console` on a terminal and `json` elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that the process logs."""
    drain_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Seconds that running work and open requests get to finish when the server is told to stop."""
    tls_cert_file: Path | None = None
    """The certificate chain (PEM) to serve HTTPS with; needs `tls_key_file`. Plain HTTP when left out."""
    tls_key_file: Path | None = None
    """The private key (PEM) of that certificate."""

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file go together")
        return self


class StoreSettings(Section):
    """The embedded store."""

    memory_limit_mb: Annotated[int, Field(ge=64)] = 400
    """Memory that the store's engine may take before it spills to disk, in MB."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Threads of the store's engine."""
    max_read_rows: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000
    """Rows that one read over the API may return; a larger one is refused and has to be asked in parts."""


class ControlSettings(Section):
    """The control database; SQLite in the data folder unless a PostgreSQL URL is given."""

    url: SecretStr | None = None
    """`postgresql://user:password@host/database`; SQLite in the data folder when left out."""
    shared: bool = False
    """Whether nodes with stores of their own may work on one database: each piece of work then lies in the
    store of whichever node took it."""


class WorkerSettings(Section):
    """The engine's workers."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Chunks that this process works on at a time."""
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """Seconds after which the work of a process that has died is taken up by another."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """How often a chunk is tried before it counts as failed."""
    backfill_timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a backfill ends as TIMEOUT; it may take as long as it needs when left out."""


class McpSettings(Section):
    """The tools for AI models."""

    answer_tokens: Annotated[int, Field(ge=1_000, le=1_000_000)] = 20_000
    """Tokens that one answer of a tool may have; what is longer is cut, with a cursor to go on."""


class AccessSettings(Section):
    """How much callers of the API may ask, and from which web pages."""

    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 6_000
    """Requests that a token may send a minute, unless it was made with a number of its own; 0: no limit."""
    burst_requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests that such a token may send at once; a minute's worth when left out."""
    failed_logins_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 30
    """Requests without a good token that an address may send a minute; good tokens from there are let in
    whatever came before."""
    cors_origins: tuple[str, ...] = ()
    """Sites whose pages may call the API with a token, spelt as browsers do: `https://desk.example.com`."""

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _is_origin(origin):
                raise ValueError(
                    f"{origin[:80]!r} is not an origin: scheme, host and, unless it is the usual one, port, "
                    "in lower case, such as https://desk.example.com; every one has to be named"
                )
        return value


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.scheme not in _USUAL_PORTS or port == _USUAL_PORTS[parts.scheme]:
        return False
    named = f"[{host}]" if ":" in host else host
    exact = f"{parts.scheme}://{named}" if port is None else f"{parts.scheme}://{named}:{port}"
    return text == exact and _HOST.fullmatch(host) is not None


class SchedulerSettings(Section):
    """What runs by itself."""

    enabled: bool = True
    """Whether this process starts jobs that are due; runs that others or people start it works on anyway."""
    default_jobs: bool = True
    """Whether the jobs of a fresh install are there; if not, only those that `[jobs]` names."""


class JobSettings(Section):
    """One job, by its name: what to change of a default job, or a job of one's own.

    What is left out is as the default job has it. A new job needs ``type`` and ``category``.
    """

    type: str | None = None
    """The kind of data or thing, such as `kline`; with the category it says what runs the job."""
    category: str | None = None
    """One of `sync`, `monitor`, `cleanup`, `backfill`."""
    description: str | None = None
    """A line for people."""
    cron: str | None = None
    """When it is due: minute, hour, day of month, month, day of week. Without `cron` and `every` a new job
    runs on request only."""
    every: str | None = None
    """Instead of `cron`: `90s`, `15m`, `6h` or `1d`, counted from 1970-01-01T00:00:00Z."""
    time_zone: str | None = None
    """The IANA time zone of `cron`, such as `Europe/Berlin`; UTC when left out."""
    enabled: bool | None = None
    """Whether it runs by its schedule; it does when left out."""
    max_instances: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """Executions of it that may be unfinished at once; a due run beyond that is left out. 1 when left out."""
    timeout_seconds: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Seconds after which a run ends as TIMEOUT; it may take as long as it needs when left out."""
    misfire_grace_seconds: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    """How many seconds late a run may still start; what is later is missed. 60 when left out."""
    catch_up: bool | None = None
    """Whether one run makes up for all that were missed, after a downtime say; it does when left out."""
    parameters: dict[str, Any] | None = None
    """What the run is told; a default job's other parameters stay."""

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        if self.cron is not None and self.every is not None:
            raise ValueError("name at most one of cron and every")
        if self.time_zone is not None and self.every is not None:
            raise ValueError("time_zone belongs to cron; every is counted in UTC")
        return self


class AccountSettings(Section):
    """Where the key of one account is: exactly one of the two; never the key itself.

    ``key_env = "OKX_MM01"`` means the variables ``OKX_MM01_KEY``, ``OKX_MM01_SECRET`` and, where the exchange
    has one, ``OKX_MM01_PASSPHRASE``. ``key_file`` is a TOML file with ``key``, ``secret`` and ``passphrase``.
    """

    key_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] | None = None
    """The common beginning of the environment variables that hold the key."""
    key_file: Path | None = None
    """The TOML file that holds the key; refused unless only its owner can read it (`chmod 600`)."""

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        if (self.key_env is None) == (self.key_file is None):
            raise ValueError("name exactly one of key_env and key_file")
        return self


class SubscriptionRuleSettings(Section):
    """A rule that chooses the subscribed symbols of an exchange, now and anew every day."""

    # It describes the table for the reference; SubscriptionRule.parse reads it, here as everywhere.

    quote: str
    """The currency that instruments are priced in, such as `USDT`."""
    top: Annotated[int, Field(ge=1, le=MOST_RANKS)]
    """How many instruments to take, the largest first."""
    by: Measure = Measure.VOLUME
    """What makes one larger: `volume` of the last 24 hours, in the quote currency."""
    keep: Annotated[int, Field(ge=1, le=MOST_RANKS)] | None = None
    """Down to which rank an instrument that is in stays in; twice `top` when left out."""
    include: tuple[str, ...] = ()
    """Root symbols that are in whatever their quote and rank; they take nobody's place."""
    exclude: tuple[str, ...] = ()
    """Root symbols that are never in."""


def _read_choice(told: object) -> Choice:
    try:
        return told if isinstance(told, SubscriptionRule) else parse_choice(told)
    except InputError as error:
        raise ValueError(str(error)) from error


SubscriptionChoice = Annotated[
    Choice, PlainValidator(_read_choice, json_schema_input_type=list[str] | SubscriptionRuleSettings)
]


class Settings(BaseSettings):
    """Everything a node is told. Unknown keys are refused."""

    model_config = SettingsConfigDict(
        env_prefix="MARKETHUB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("markethub"))
    """The folder of store, SQLite control database and first token; in the user's own data when left out."""
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    control: ControlSettings = ControlSettings()
    workers: WorkerSettings = WorkerSettings()
    mcp: McpSettings = McpSettings()
    access: AccessSettings = AccessSettings()
    venues: dict[str, dict[str, str]] = {}
    """Options of each exchange's adapter, by exchange code, all written as text."""
    subscriptions: dict[str, SubscriptionChoice] = {}
    """What "all subscribed symbols" are, by exchange code: root symbols, or the table of a rule. It counts
    until `PUT /api/v1/subscriptions/{exchange}` sets something else, and again when it is changed here."""
    accounts: dict[str, AccountSettings] = {}
    """The accounts whose balances, orders, fills and transfers may be fetched, such as `OKX_MM01`."""
    scheduler: SchedulerSettings = SchedulerSettings()
    jobs: dict[str, JobSettings] = {}
    """The jobs by name, as far as they differ from the default ones."""
    node: NodeSettings = NodeSettings()
    master: MasterSettings | None = None
    slaves: list[SlaveSettings] = []
    """The nodes that follow this one, in their order."""
    dms: DmsSettings = DmsSettings()

    @field_validator("venues", "subscriptions", mode="before")
    @classmethod
    def _spell_exchanges(cls, value: object) -> object:
        # Names from environment variables arrive in lower case.
        return {str(key).upper(): item for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("subscriptions")
    @classmethod
    def _check_subscriptions(cls, value: dict[str, Choice]) -> dict[str, Choice]:
        try:
            check_support(value, DataKind.KLINE)
        except InputError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("accounts", mode="before")
    @classmethod
    def _spell_accounts(cls, value: object) -> object:
        # As above; in a file an account's own name may well be in lower case, its exchange never is.
        if not isinstance(value, dict):
            return value
        return {name if name[:1].isupper() else name.upper(): item for name, item in value.items()}

    @field_validator("accounts")
    @classmethod
    def _check_accounts(cls, value: dict[str, AccountSettings]) -> dict[str, AccountSettings]:
        try:
            for name in value:
                Account.parse(name)
        except InputError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _check_group(self) -> Self:
        if self.node.role is Role.SLAVE and self.master is None:
            raise ValueError("node.role is slave, but no [master] says whom to follow")
        names = [slave.name for slave in self.slaves]
        for name in names:
            if names.count(name) > 1 or name == self.node.name:
                raise ValueError(f"slaves: {name!r} names more than one node")
        has_others = self.master is not None or bool(self.slaves)
        if has_others and self.node.cluster_token is None and self.node.cluster_token_file is None:
            raise ValueError(
                "node.cluster_token or node.cluster_token_file is needed where [master] or [[slaves]] is"
            )
        return self

    @property
    def store_path(self) -> Path:
        return self.data_dir / "market.duckdb"

    @property
    def control_url(self) -> str:
        """The SQLAlchemy URL; it may hold a password, so it is never logged."""
        if self.control.url is not None:
            return self.control.url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'control.sqlite'}"


def load_settings(config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings; InputError names the key and what is wrong with it.

    ``flags`` are nested like the file. Without ``config``, ``markethub.toml`` of the working directory is
    read if there is one.
    """
    if config is not None and not config.is_file():
        raise InputError(f"configuration {config} is not a readable file")
    path = config or Path(FILE_NAME)

    class _Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (pydantic's signature)
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return _Loaded(**(flags or {}))
    except ValidationError as error:
        raise InputError("; ".join(_explain(problem) for problem in error.errors())) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, SettingsError, OSError) as error:
        raise InputError(f"configuration {path}: {error}") from error


def _explain(problem: ErrorDetails) -> str:
    # The input itself stays out: it may be a database URL with its password.
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"setting {key} is unknown"
    if problem["type"] == "missing":
        return f"setting {key} is missing"
    reason = problem["msg"].removeprefix("Value error, ")
    # What concerns several settings together has no key, and names them itself.
    return f"setting {key}: {reason[:1].lower()}{reason[1:]}" if key else f"settings: {reason}"
