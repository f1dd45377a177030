"""Settings of the agent, read from HAQ_AGENT_* environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from quant.errors import InputError

MIB = 2**20
PREFIX = "HAQ_AGENT_"


def check_key(key: SecretStr) -> SecretStr:
    """The key, if it can be sent in a header. Raises ValueError that does not repeat it."""
    text = key.get_secret_value()
    if not text.isprintable() or text != text.strip():
        raise ValueError("a key has no line breaks, and no spaces at its ends")
    return key


Key = Annotated[SecretStr, Field(min_length=1), AfterValidator(check_key)]


class Settings(BaseSettings):
    """Every setting, with its default.

    key: what clients must send; without any key only clients on this machine are served.
    keys_file: further keys, a line each: a name and the SHA-256 of the key; read again when it
    changes, so that a key is revoked by deleting its line.
    host, port: where `haq-agent` listens. tls_cert, tls_key: PEM files for https.
    data_dir: folder of uploaded files and registered networks.
    max_upload_bytes: size of one uploaded file.
    max_request_bytes: size of the JSON of any other request.
    max_store_bytes: all uploaded files together; the ones used longest ago make room.
    max_policies: policies in one measurement; all their networks are in memory at once.
    max_waiting: clients in the queue for the board.
    job_timeout_s: seconds after which a measuring process is killed.
    job_memory_bytes: address space that a measuring process may take.
    job_file_bytes: size of a file that a measuring process may write.
    exit_with_parent: stop when standard input closes, that is, when the starting process ends.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    key: Key | None = None
    keys_file: Path | None = None
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8100
    tls_cert: Path | None = None
    tls_key: Path | None = None
    data_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "haq_agent")
    max_upload_bytes: PositiveInt = 512 * MIB
    max_request_bytes: PositiveInt = 8 * MIB
    max_store_bytes: PositiveInt = 8192 * MIB
    max_policies: PositiveInt = 64
    max_waiting: PositiveInt = 32
    job_timeout_s: PositiveFloat = 900.0
    job_memory_bytes: PositiveInt = 4096 * MIB
    job_file_bytes: PositiveInt = 1024 * MIB
    exit_with_parent: bool = False

    @model_validator(mode="after")
    def check_tls(self) -> Settings:
        """A certificate without its key, or a key without its certificate, is a mistake."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: set both or none")
        return self


def load_settings() -> Settings:
    """The settings of the environment. Raises InputError of one line that repeats no value."""
    try:
        return Settings()
    except ValidationError as error:
        raise InputError("; ".join(fault(e["loc"], e["msg"]) for e in error.errors())) from None


def fault(place: tuple[int | str, ...], message: str) -> str:
    """What is wrong with a setting, and which one it is."""
    if not place:
        return message.removeprefix("Value error, ")
    return f"setting {place[0]} ({PREFIX}{str(place[0]).upper()}): {message}"
