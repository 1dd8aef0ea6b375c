"""Settings: one frozen object, read once from the environment (and `.env` in a checkout), then passed in."""

from __future__ import annotations

import difflib
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pikkit.setting_sources import WrongSetting, names_in_dotenv, secret_files

__all__ = ["Settings", "WrongSetting"]

_PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "your-",
    "your_",
    "placeholder",
    "example",
    "<",
    "todo",
)
_RENAMED = {"MODEL_PATH": "MODEL_DIR"}
_OF_DEPLOY = re.compile("DEPLOY_.+|BASE_IMAGE(_PYTHON)?|NGINX_BIN")  # which reads its own from the same .env
_MIN_SECRET_LENGTH = 16
_LARGEST_WEIGHT = 1000.0
_LONGEST_WINDOW_S = 3650 * 86_400
_MOST_ALERTS = 1_000_000
_ORIGIN = re.compile(  # as browsers send it: in small letters, without the usual port
    r"\*|https://[a-z0-9.\-]+(:(?!443$)\d{1,5})?|http://[a-z0-9.\-]+(:(?!80$)\d{1,5})?|chrome-extension://[a-p]{32}"
)
_HOST = re.compile(r"[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*")


class Settings(BaseSettings):
    """Everything that an operator can set. Names are the environment variables, in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    app_version: str = Field("1.0.0", description="Version reported by /health and in metrics")
    environment: Literal["development", "test", "staging", "production"] = Field(
        "development", description="production turns on JSON logs and refuses placeholders"
    )
    deployment: str = Field(
        "local", pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Slot: blue, green, canary or local"
    )
    bind_host: str = Field("127.0.0.1", description="IP address that the service listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port that the service listens on")
    workers: int | Literal["cpu_count"] = Field(
        1, description="Worker processes: a number, or cpu_count for one per core"
    )
    data_dir: Path = Field(Path(".data"), description="Writable folder: alert outbox, prediction log, state")

    model_dir: Path = Field(
        Path("models"),
        validation_alias=AliasChoices("model_dir", "model_path"),
        description="Folder with the model files; watched for new ones",
    )
    reload_interval: float = Field(60.0, ge=0.5, le=86400, description="Seconds between looks at MODEL_DIR")
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
    max_stake_pct: float = Field(5.0, gt=0, le=100, description="Cap of the recommended stake, percent of bankroll")
    kelly_multiplier: float = Field(0.25, gt=0, le=1, description="Share of the full Kelly stake (0.25: quarter)")
    grade_a_roi: float = Field(5.0, description="Expected ROI in percent above which a bet can be an A")
    grade_a_confidence: float = Field(0.7, ge=0, le=1, description="Confidence above which a bet can be an A")
    grade_b_roi: float = Field(3.0, description="Expected ROI in percent above which a bet can be a B")
    grade_b_confidence: float = Field(0.5, ge=0, le=1, description="Confidence above which a bet can be a B")
    grade_c_roi: float = Field(0.0, description="Expected ROI in percent above which a bet can be a C")
    grade_c_confidence: float = Field(0.3, ge=0, le=1, description="Confidence above which a bet can be a C")
    grade_d_roi: float = Field(-2.0, description="Expected ROI in percent above which a bet is a D")

    margin_method: Literal["power", "multiplicative", "shin"] = Field(
        "power", description="How the vig is taken out of market prices"
    )
    reference_weights: Annotated[Mapping[str, float], NoDecode] = Field(
        {"pinnacle": 1.0, "circa": 1.0, "*": 0.1},
        description="Whom to believe among reference books: pinnacle=1,circa=1,*=0.1 (* is each other one)",
    )
    reference_max_age: float = Field(600.0, gt=0, description="Seconds that a reference price may be old")
    reference_max_age_live: float = Field(30.0, gt=0, description="The same once the event runs")

    alerts_enabled: bool = Field(True, description="false turns the outbox and its delivery off")
    alert_window: float = Field(
        86_400.0,
        ge=0,
        le=_LONGEST_WINDOW_S,
        description="Seconds after which a bet without a start is forgotten, and raises an alert again",
    )
    alert_ttl: float = Field(3600.0, gt=0, description="Age of a price in seconds beyond which no alert is sent")
    alert_ttl_live: float = Field(120.0, gt=0, description="The same for bets placed live")
    alert_price_step: float = Field(
        0.02, gt=0, le=10, description="Relative gain of the decimal price that alerts again (0.02: 2 %)"
    )
    alerts_per_hour: int = Field(
        60, ge=0, le=_MOST_ALERTS, description="Alerts an hour for each API key, then one digest; 0: no limit"
    )
    alert_link_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated hosts that alerts may link to, subdomains included; empty: addresses are text"
    )
    bankroll: float = Field(0.0, ge=0, description="Your bankroll in money, for stakes in alerts; 0: percent only")
    n8n_webhook_url: HttpUrl | None = Field(None, description="n8n production webhook for alerts")
    n8n_webhook_secret: SecretStr | None = Field(None, description="Signs alert bodies (HMAC-SHA256)")
    n8n_base_url: HttpUrl | None = Field(None, description="n8n's public API, for setup-n8n")
    n8n_api_key: SecretStr | None = Field(None, description="Key of n8n's public API")
    odds_api_key: SecretStr | None = Field(
        None, description="Key of The Odds API, for `python -m pikkit.slate --fetch`"
    )
    odds_api_url: HttpUrl = Field(HttpUrl("https://api.the-odds-api.com"), description="The Odds API's address")
    telegram_bot_token: SecretStr | None = Field(None, description="Telegram bot token, for direct alerts")
    telegram_api_url: HttpUrl = Field(
        HttpUrl("https://api.telegram.org"), description="Telegram's API, or a bot API server of your own"
    )
    telegram_chat_id: str | None = Field(None, description="Telegram chat that receives direct alerts")
    supabase_url: HttpUrl | None = Field(None, description="Supabase project URL")
    supabase_service_key: SecretStr | None = Field(None, description="Supabase service key (JWT or sb_secret_…)")
    supabase_schema: str = Field("public", min_length=1, description="Schema with the tables ml_alerts and bets")

    prediction_log: bool = Field(False, description="true writes every prediction to DATA_DIR as JSON lines")
    access_log: float = Field(1.0, ge=0, le=1, description="Share of requests logged; 0 turns the log off")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: json in production, console elsewhere"
    )
    otlp_endpoint: HttpUrl | None = Field(None, description="OpenTelemetry collector (OTLP/HTTP); off when empty")
    batching: Literal["merge", "bentoml"] = Field(
        "merge", description="Who merges batches that wait: merge (ours, no wait) or bentoml (its dispatcher)"
    )
    max_concurrency: int = Field(256, ge=1, description="Requests in progress per worker; beyond it 503")
    prediction_ttl: int = Field(60, ge=0, description="Seconds for which callers may reuse an answer (ttl_s)")
    request_timeout: float = Field(30.0, gt=0, description="Seconds after which a request is answered with 504")

    @field_validator("api_keys", "cors_origins", "alert_link_hosts", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if not parts:
            raise ValueError("there is nothing between the commas: write what is meant, or leave it empty")
        return parts

    @field_validator("*")
    @classmethod
    def _secrets_are_one_line(cls, value: object) -> object:
        if isinstance(value, SecretStr):
            return _one_line(value)
        if isinstance(value, tuple):
            return tuple(_one_line(item) if isinstance(item, SecretStr) else item for item in value)
        return value

    @field_validator("alert_link_hosts")
    @classmethod
    def _hosts_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is not a host: write its name alone, as in book.example")
        return value

    @field_validator("reference_weights", mode="before")
    @classmethod
    def _read_weights(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        weights: dict[str, float] = {}
        for part in value.split(","):
            name, _, written = part.partition("=")
            try:
                weight = float(written)
            except ValueError:
                weight = math.nan
            if not name.strip() or not 0 <= weight <= _LARGEST_WEIGHT:
                raise ValueError(
                    f"{part!r} is no weight: write book=number from 0 to {_LARGEST_WEIGHT:g}, as in "
                    "pinnacle=1,circa=1,*=0.1"
                )
            weights[name.strip()] = weight
        return weights

    @field_validator("bind_host")
    @classmethod
    def _host_is_an_address(cls, value: str) -> str:
        try:
            ip_address(value)
        except ValueError:
            raise ValueError("write an IP address, as in 127.0.0.1, or 0.0.0.0 for every one of this machine") from None
        return value

    @field_validator("workers", mode="before")
    @classmethod
    def _workers_are_counted(cls, value: object) -> object:
        if value != "cpu_count" and not re.fullmatch(r"[1-9]\d{0,2}", str(value)):
            raise ValueError("write a number from 1 to 999, or cpu_count for one per core")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin as browsers send it: write https://host[:port] in small letters, without "
                    "a path or the usual port, chrome-extension://<32 letters a-p>, or *"
                )
        return value

    @model_validator(mode="after")
    def _odds_bounds_are_ordered(self) -> Self:
        if self.min_odds >= self.max_odds:
            raise ValueError(f"MIN_ODDS {self.min_odds:g} must be below MAX_ODDS {self.max_odds:g}")
        return self

    @model_validator(mode="after")
    def _production_is_safe(self) -> Self:
        if self.environment != "production":
            return self
        for name, secret in self._secrets():
            value = secret.get_secret_value()
            if any(mark in value.lower() for mark in _PLACEHOLDERS):
                raise ValueError(f"{name} holds a placeholder: set a real value, or leave it empty")
        for name, secret in self._secrets():
            if name in ("ADMIN_TOKEN", "API_KEYS") and len(secret.get_secret_value()) < _MIN_SECRET_LENGTH:
                raise ValueError(
                    f"{name} is shorter than {_MIN_SECRET_LENGTH} characters: make one with `openssl rand -hex 24`"
                )
        if self.api_keys and "*" in self.cors_origins:
            raise ValueError("CORS_ORIGINS=* with API_KEYS lets every page use a leaked key: list the origins")
        return self

    def _secrets(self) -> list[tuple[str, SecretStr]]:
        found: list[tuple[str, SecretStr]] = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            found += [(name.upper(), item) for item in values if isinstance(item, SecretStr)]
        return found

    @classmethod
    def load(cls, *, without_model_dir: bool = False) -> Self:
        """Read the environment, and what it leaves open from files named like settings in SECRETS_DIR (/run/secrets).

        Names that look like a misspelt setting are refused.

        Args:
            without_model_dir: do without it where it is gone.

        Raises:
            WrongSetting: a value breaks a rule, `.env` holds an unknown name, an environment variable is one typing
                error away from a setting, MODEL_DIR was named and is no folder, or something of it can't be read.
        """
        known = {name.upper() for name in cls.model_fields}
        dotenv = names_in_dotenv(Path(".env"))
        given = dotenv | {name.upper() for name, value in os.environ.items() if value}
        folder, secrets = secret_files(known)
        for name in sorted(secrets & given & known):
            sys.stderr.write(f"settings: {name} is set, so its file in {folder} does not count: keep one\n")
        for old, new in _RENAMED.items():
            if old in given:
                which = "which is set too and counts" if new in given else "accepted for now"
                sys.stderr.write(f"settings: {old} is the old name of {new}, {which}: set {new} only\n")
        for name in sorted(dotenv - known - _RENAMED.keys()):
            if not _OF_DEPLOY.fullmatch(name):
                raise WrongSetting(f"{name} is not a setting: take it out of .env, or write it as the README has it")
        for name in (os.environ.keys() | secrets) - known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
            if close and "_" in name:
                raise WrongSetting(f"{name} is not a setting: did you mean {close[0]}?")
        try:
            settings = cls(_secrets_dir=folder if secrets else None)
        except ValidationError as error:
            raise WrongSetting("; ".join(cls._faults(error))) from None
        named = "model_dir" in settings.model_fields_set
        if named and not settings.model_dir.is_dir() and not without_model_dir:
            raise WrongSetting(
                f"MODEL_DIR={settings.model_dir} is not a folder: make it, name the one with the model files, or leave "
                "MODEL_DIR out"
            )
        if settings.data_dir.exists() and not settings.data_dir.is_dir():
            raise WrongSetting(f"DATA_DIR={settings.data_dir} is not a folder: name one, or leave DATA_DIR out")
        return settings

    @classmethod
    def _faults(cls, error: ValidationError) -> Iterator[str]:
        """A sentence for each fault; values of secrets and of addresses are not told."""
        for fault in error.errors(include_url=False, include_context=False):
            rule = fault["msg"].removeprefix("Value error, ")
            name = str(fault["loc"][0]) if fault["loc"] else ""
            if name in _TELLABLE:
                yield f"{name.upper()}={str(fault['input'])[:_SHOWN]}: {rule}"
            else:
                yield f"{name.upper()}: {rule}" if name else rule


def _one_line(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not text:
        raise ValueError("it is blank: write a value, or leave it empty")
    if not text.isprintable():
        raise ValueError("it holds a line break or another character that no header carries: write it in one line")
    return SecretStr(text)


_SHOWN = 60
_TELLABLE = frozenset(
    name
    for name, field in Settings.model_fields.items()
    if not any(kind in str(field.annotation) for kind in ("SecretStr", "HttpUrl"))
)
