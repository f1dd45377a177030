"""Settings of the agent, read from HAQ_AGENT_* environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 2**20


class Settings(BaseSettings):
    """Every setting, with its default.

    key: what clients must send; without one only clients on this machine are served.
    data_dir: folder of uploaded files and registered networks.
    max_upload_bytes: size of one uploaded file.
    max_request_bytes: size of the JSON of any other request.
    max_policies: policies in one measurement; all their networks are in memory at once.
    job_timeout_s: seconds after which a measuring process is killed.
    job_memory_bytes: address space that a measuring process may take.
    exit_with_parent: stop when standard input closes, that is, when the starting process ends.
    """

    model_config = SettingsConfigDict(env_prefix="HAQ_AGENT_", frozen=True)

    key: Annotated[SecretStr, Field(min_length=1)] | None = None
    data_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "haq_agent")
    max_upload_bytes: PositiveInt = 512 * MIB
    max_request_bytes: PositiveInt = 8 * MIB
    max_policies: PositiveInt = 64
    job_timeout_s: PositiveFloat = 900.0
    job_memory_bytes: PositiveInt = 4096 * MIB
    exit_with_parent: bool = False
