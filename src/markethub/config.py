"""Settings, read once: flags win over ``MARKETHUB_*`` variables, those over the configuration file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
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

from markethub.domain.errors import InputError
from markethub.domain.support import DataKind, check_support
from markethub.domain.symbol import Account, Symbol, parse_root_symbol

FILE_NAME = "markethub.toml"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Section(BaseModel):
    # What stands under a wrong name may be a secret: no error quotes it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(_Section):
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 11183
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    drain_s: Annotated[float, Field(ge=0, le=600)] = 10.0


class StoreSettings(_Section):
    """The embedded store."""

    memory_limit_mb: Annotated[int, Field(ge=64)] = 400
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    max_read_rows: Annotated[int, Field(ge=1, le=100_000_000)] = 5_000_000


class ControlSettings(_Section):
    """The control database; SQLite in the data folder unless a PostgreSQL URL is given."""

    url: SecretStr | None = None


class WorkerSettings(_Section):
    """The engine's workers."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    lease_s: Annotated[float, Field(ge=1, le=3600)] = 30.0
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    backfill_timeout_s: Annotated[float, Field(gt=0)] | None = None


class McpSettings(_Section):
    """The tools for AI models."""

    answer_tokens: Annotated[int, Field(ge=1_000, le=1_000_000)] = 20_000


class AccountSettings(_Section):
    """Where the key of one account is: exactly one of the two; never the key itself.

    ``key_env = "OKX_MM01"`` means the variables ``OKX_MM01_KEY``, ``OKX_MM01_SECRET`` and, where the exchange
    has one, ``OKX_MM01_PASSPHRASE``. ``key_file`` is a TOML file with ``key``, ``secret`` and ``passphrase``.
    """

    key_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")] | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        if (self.key_env is None) == (self.key_file is None):
            raise ValueError("name exactly one of key_env and key_file")
        return self


class Settings(BaseSettings):
    """Everything a node is told. Unknown keys are refused."""

    model_config = SettingsConfigDict(
        env_prefix="MARKETHUB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("markethub"))
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    control: ControlSettings = ControlSettings()
    workers: WorkerSettings = WorkerSettings()
    mcp: McpSettings = McpSettings()
    venues: dict[str, dict[str, str]] = {}
    subscriptions: dict[str, list[str]] = {}
    accounts: dict[str, AccountSettings] = {}

    @field_validator("venues", "subscriptions", mode="before")
    @classmethod
    def _spell_exchanges(cls, value: object) -> object:
        # Names from environment variables arrive in lower case.
        return {str(key).upper(): item for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("subscriptions")
    @classmethod
    def _check_subscriptions(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        try:
            check_support(value, DataKind.KLINE)
            for symbols in value.values():
                for symbol in symbols:
                    parse_root_symbol(symbol)
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

    @property
    def store_path(self) -> Path:
        return self.data_dir / "market.duckdb"

    @property
    def control_url(self) -> str:
        """The SQLAlchemy URL; it may hold a password, so it is never logged."""
        if self.control.url is not None:
            return self.control.url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'control.sqlite'}"

    def subscribed_symbols(self) -> list[Symbol]:
        return [Symbol(venue, root) for venue, roots in self.subscriptions.items() for root in roots]


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, SettingsError) as error:
        raise InputError(f"configuration {path}: {error}") from error


def _explain(problem: ErrorDetails) -> str:
    # The input itself stays out: it may be a database URL with its password.
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"setting {key} is unknown"
    return f"setting {key}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
