"""Settings of the service, read from HAQ_SERVICE_* environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from quant.errors import InputError

MIB = 2**20
PREFIX = "HAQ_SERVICE_"


class Settings(BaseSettings):
    """Every setting, with its default.

    data_dir: folder of runs and uploaded models.
    store: where searches, keys and trials are kept: sqlite:///FILE or postgresql://USER@HOST/NAME;
    by default a file in data_dir.
    host, port: where `haq serve` listens.
    admin_key: a key with the role admin beside those in the store; without any key only clients on
    this machine are served.
    data_roots: folders below which data sets may be registered; none by default.
    board_hosts: HOST or HOST:PORT of boards that may be added; none by default.
    workers: worker processes started with the service; 0 where workers run elsewhere.
    ray: a Ray cluster that evaluates the policies of all searches: auto, local or HOST:PORT; by
    default each search is evaluated by its own process.
    max_upload_bytes, max_request_bytes: size of a model, and of the JSON of any other request.
    lease_s: how long a worker that says nothing keeps its search.
    per_minute, max_searches: requests a minute, and unfinished searches, of a key that has no
    limits of its own.
    session_s: how long a browser stays signed in.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    data_dir: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "haq")
    store: SecretStr | None = None
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8200
    admin_key: SecretStr | None = None
    data_roots: tuple[Path, ...] = ()
    board_hosts: tuple[str, ...] = ()
    workers: NonNegativeInt = 1
    ray: Annotated[str, Field(min_length=1)] | None = None
    max_upload_bytes: PositiveInt = 2048 * MIB
    max_request_bytes: PositiveInt = MIB
    lease_s: PositiveFloat = 15.0
    per_minute: PositiveInt = 600
    max_searches: PositiveInt = 100
    session_s: PositiveFloat = 12 * 3600.0

    @property
    def store_url(self) -> str:
        """The address of the store, with its password."""
        if self.store is not None:
            return self.store.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'haq.sqlite'}"

    def to_environ(self) -> dict[str, str]:
        """Variables by which another process has the same settings of data and store."""
        return {
            f"{PREFIX}DATA_DIR": str(self.data_dir.absolute()),
            f"{PREFIX}STORE": self.store_url,
            f"{PREFIX}LEASE_S": str(self.lease_s),
            **({} if self.ray is None else {f"{PREFIX}RAY": self.ray}),
            "HAQ_BOARDS": str(self.boards_file.absolute()),
        }

    @property
    def boards_file(self) -> Path:
        """The operator's list of boards."""
        return self.data_dir / "boards.json"

    @property
    def runs_dir(self) -> Path:
        """Folder of the run folders, each named by its search."""
        return self.data_dir / "runs"

    @property
    def models_dir(self) -> Path:
        """Folder of uploaded weights, each named by its digest."""
        return self.data_dir / "models"


def load_settings() -> Settings:
    """The settings of the environment. Raises InputError of one line that repeats no value."""
    try:
        return Settings()
    except SettingsError as error:
        raise InputError(f'setting: {error}; lists are JSON, as ["/data"]') from None
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc']))} ({PREFIX}{str(e['loc'][0]).upper()}): {e['msg']}"
            if e["loc"]
            else e["msg"]
            for e in error.errors()
        ]
        raise InputError(f"setting {'; '.join(faults)}") from None
