"""The service's settings, from the environment and `.env` (names and defaults: contracts)."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from consumers.engine.limits import Limits

_LAST_COMMIT_SHARE = 5
"""Of a short shutdown a fifth is kept for the last commit."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one line that names it."""


class Settings(BaseSettings):
    """All settings. Times are in the unit their name ends with; secrets never appear in a repr."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_client_id: str = "ai-service"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_group_instance_id: str | None = None

    content_service_base_url: str = "http://localhost:3001"
    content_service_secret: SecretStr | None = None
    content_service_timeout_seconds: float = Field(default=5.0, gt=0)
    skills_engine_base_url: str = "http://localhost:3002"
    skills_engine_secret: SecretStr | None = None
    skills_engine_timeout_seconds: float = Field(default=10.0, gt=0)

    google_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GOOGLE_API_KEY", "GEMINI_API_KEY")
    )
    llm_provider: Literal["gemini", "offline"] | None = None
    llm_model: str = "gemini-flash-latest"
    llm_base_url: str | None = None
    llm_temperature: float = Field(default=0.7, ge=0, le=2)
    llm_grading_temperature: float = Field(default=0.3, ge=0, le=2)
    llm_max_tokens: int = Field(default=8192, ge=1)
    llm_timeout_seconds: float = Field(default=60.0, gt=0)
    llm_max_concurrency: int = Field(default=1024, ge=1)
    on_llm_failure: Literal["retry", "degrade", "dead_letter"] = "degrade"

    path_generation: Literal["auto", "manual"] = "auto"
    require_enrollment: bool = False
    time_limit_grace_minutes: float = Field(default=2.0, ge=0)

    max_in_flight: int = Field(default=256, ge=1)
    max_buffered_bytes: int = Field(default=64 * 2**20, ge=1)
    max_attempts: int = Field(default=5, ge=1)
    max_retry_seconds: float = Field(default=300.0, ge=0)
    max_event_bytes: int = Field(default=2**20, ge=1)
    commit_interval_ms: int = Field(default=100, ge=1)
    shutdown_seconds: float = Field(default=30.0, ge=0)

    state_dir: Path = Path(".state")
    state_cache_bytes: int = Field(default=64 * 2**20, ge=2**20)
    state_write_buffer_bytes: int = Field(default=24 * 2**20, ge=2**20)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("content_service_base_url", "skills_engine_base_url", "llm_base_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ValueError("an address that begins with http:// or https:// is needed")
        return value

    @field_validator("content_service_secret", "skills_engine_secret", "google_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise ValueError("holds characters that no HTTP header takes")
        return value

    @model_validator(mode="after")
    def _gemini_has_a_key(self) -> Self:
        if self.llm_provider == "gemini" and self.google_api_key is None:
            raise ValueError("LLM_PROVIDER is gemini, but GOOGLE_API_KEY is not set")
        return self

    @property
    def provider(self) -> Literal["gemini", "offline"]:
        """The model provider in force: gemini when a key is set, else offline."""
        return self.llm_provider or ("gemini" if self.google_api_key else "offline")

    def limits(self, *, flows: int = 1) -> Limits:
        """The numbers of one engine of a process that runs so many flows: they share the memory evenly."""
        return Limits(
            max_in_flight=self.max_in_flight,
            max_buffered_bytes=max(1, self.max_buffered_bytes // flows),
            max_event_bytes=self.max_event_bytes,
            max_attempts=self.max_attempts,
            max_retry_seconds=self.max_retry_seconds,
            commit_interval_seconds=self.commit_interval_ms / 1000,
            shutdown_seconds=self.shutdown_seconds,
            last_commit_seconds=min(Limits().last_commit_seconds, self.shutdown_seconds / _LAST_COMMIT_SHARE),
        )


def load_settings() -> Settings:
    """Read the settings; raises SettingsError with one line that names what is wrong, without its value."""
    try:
        return Settings()
    except ValidationError as exc:
        problems = exc.errors(include_url=False, include_context=False, include_input=False)
        named = [f"{'_'.join(map(str, p['loc'])).upper()}: {p['msg']}" if p["loc"] else p["msg"] for p in problems]
        raise SettingsError("; ".join(named)) from None
