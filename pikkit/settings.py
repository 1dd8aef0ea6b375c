"""Settings: one frozen object, read once from the environment (and `.env` in a checkout), and passed in from there."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["GradeThresholds", "Settings"]

PLACEHOLDERS = ("changeme", "change-me", "your-", "your_", "xxx", "placeholder", "example", "<", "todo")
MIN_SECRET_LENGTH = 16


class Settings(BaseSettings):
    """Everything that an operator can set. Names are the environment variables, in lower case."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    app_version: str = Field("1.0.0", description="Version reported by /health and in metrics")
    environment: Literal["development", "test", "staging", "production"] = Field(
        "development", description="production turns on JSON logs and refuses placeholders"
    )
    deployment: str = Field(
        "local", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Slot: blue, green, canary or local"
    )
    host: str = Field("127.0.0.1", description="Address that the service listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port that the service listens on")
    workers: int | Literal["cpu_count"] = Field(
        1, description="Worker processes: a number, or cpu_count for one per core"
    )
    data_dir: Path = Field(Path(".data"), description="Writable folder: alert outbox, prediction log, state")

    model_dir: Path = Field(
        Path("models"), description="Folder with the model files; watched for new ones"
    )
    reload_interval: float = Field(
        60.0, ge=0.5, le=86400, description="Seconds between looks at MODEL_DIR"
    )
    neutral_history_count: int = Field(
        0, ge=0, description="Sample size assumed without any betting history (100 is the old behaviour)"
    )

    admin_token: SecretStr | None = Field(None, description="Token for /api/v1/reload-models")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Comma-separated keys; when set, X-API-Key is required"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Comma-separated origins: https://… or chrome-extension://<id>; * for any"
    )

    min_odds: float = Field(100.0, ge=100, description="Smallest |American odds| accepted")
    max_odds: float = Field(100_000.0, ge=101, description="Largest |American odds| accepted")
    max_stake_pct: float = Field(
        5.0, gt=0, le=100, description="Cap of the recommended stake, percent of bankroll"
    )
    kelly_multiplier: float = Field(0.25, gt=0, le=1, description="Share of the full Kelly stake (0.25: quarter)")
    grade_a_roi: float = Field(5.0, description="Expected ROI in percent above which a bet can be an A")
    grade_a_confidence: float = Field(0.7, ge=0, le=1, description="Confidence above which a bet can be an A")
    grade_b_roi: float = Field(3.0, description="Expected ROI in percent above which a bet can be a B")
    grade_b_confidence: float = Field(0.5, ge=0, le=1, description="Confidence above which a bet can be a B")
    grade_c_roi: float = Field(0.0, description="Expected ROI in percent above which a bet can be a C")
    grade_c_confidence: float = Field(0.3, ge=0, le=1, description="Confidence above which a bet can be a C")
    grade_d_roi: float = Field(-2.0, description="Expected ROI in percent above which a bet is a D")

    alerts_enabled: bool = Field(True, description="false turns the outbox and its delivery off")
    alert_window: float = Field(
        86_400.0, ge=0, description="Seconds within which the same bet raises one alert"
    )
    n8n_webhook_url: HttpUrl | None = Field(None, description="n8n production webhook for alerts")
    n8n_webhook_secret: SecretStr | None = Field(None, description="Signs alert bodies (HMAC-SHA256)")
    n8n_base_url: HttpUrl | None = Field(None, description="n8n's public API, for setup-n8n")
    n8n_api_key: SecretStr | None = Field(None, description="Key of n8n's public API")
    telegram_bot_token: SecretStr | None = Field(None, description="Telegram bot token, for direct alerts")
    telegram_chat_id: str | None = Field(None, description="Telegram chat that receives direct alerts")
    supabase_url: HttpUrl | None = Field(None, description="Supabase project URL")
    supabase_service_key: SecretStr | None = Field(None, description="Supabase service key (JWT or sb_secret_…)")

    prediction_log: bool = Field(False, description="true writes every prediction to DATA_DIR as JSON lines")
    access_log: float = Field(1.0, ge=0, le=1, description="Share of requests logged; 0 turns the log off")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: json in production, console elsewhere"
    )
    otlp_endpoint: HttpUrl | None = Field(None, description="OpenTelemetry collector (OTLP/HTTP); off when empty")
    max_concurrency: int = Field(256, ge=1, description="Requests in progress per worker; beyond it 503")
    request_timeout: float = Field(30.0, gt=0, description="Seconds after which a request is answered with 504")

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
