"""Settings of the deploy commands: one frozen object, read once from the environment (`DEPLOY_…`)."""

from __future__ import annotations

import difflib
import errno
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deploy.errors import UsageError
from deploy.slot import SLOTS, Slot

__all__ = ["DeploySettings"]

_HIGHEST_BASE = 65_000
_KUBERNETES = "apply deploy/kubernetes and use `kubectl argo rollouts` (docs/kubernetes.md)"
_ONE_HOST = "run `python -m deploy` on that host; deploy/pipeline/ship.sh does, by ssh"
_FOR_KUBERNETES = ("IMAGE", "KUBE_CONTEXT", "KUBE_NAMESPACE", "KUBE_TIMEOUT_S", "ROUTE_TIMEOUT_S", "ROUTE_SETTLE_S")
_SUCCESSORS = {
    **dict.fromkeys(("DEPLOY_REMOTE_DIR", "DEPLOY_SSH_CONFIG", "DEPLOY_INVENTORY"), _ONE_HOST),
    **{f"DEPLOY_{name}": _KUBERNETES for name in _FOR_KUBERNETES},
}
"""Settings that are gone, and what has taken their place."""
_UNPREFIXED = {"BASE_IMAGE", "CORS_ORIGINS", "ENVIRONMENT", "NGINX_BIN"}


class DeploySettings(BaseSettings):
    """What an operator can set. Names are environment variables with the prefix DEPLOY_, but for those noted."""

    model_config = SettingsConfigDict(
        env_prefix="DEPLOY_", env_ignore_empty=True, frozen=True, populate_by_name=True, extra="ignore"
    )

    runtime: Literal["process", "docker"] = Field("process", description="What runs the slots")
    run_dir: Path = Field(Path(".run"), description="Folder for state, routes, pid files and logs")
    host: str = Field("127.0.0.1", description="Address that Nginx listens on")
    base_port: int = Field(8000, ge=1024, le=_HIGHEST_BASE, description="Nginx; slots follow at +1, +2 and +3")
    status_port: int | None = Field(None, description="Loopback port of stub_status; default base port + 9")
    workers: int = Field(1, ge=1, le=64, description="Worker processes of a slot")
    validate_bets: Path | None = Field(
        None, description="Settled bets (CSV, Parquet): models must pass `python -m training validate` on them"
    )
    keep_releases: int = Field(5, ge=1, description="Releases kept beside those in use and the rollback target")

    base_image: str = Field(
        "python:3.13-slim",
        validation_alias=AliasChoices("BASE_IMAGE", "base_image"),
        description="BASE_IMAGE: what images are built on, best by digest (python:3.13-slim@sha256:…)",
    )
    nginx_image: str = Field("nginx:1.29-alpine", description="Image of the load balancer, best by digest (docker)")
    slot_memory: str = Field("2g", description="Memory limit of a slot's container (docker)")
    image_options: str = Field("", description="More options of `docker build`, e.g. --network host")

    nginx_bin: Path | None = Field(
        None, validation_alias=AliasChoices("NGINX_BIN", "nginx_bin"), description="NGINX_BIN: Nginx to use"
    )
    nginx_workers: int = Field(2, ge=1, le=64, description="Worker processes of Nginx")
    rate_limit: float = Field(50, ge=0, description="Requests per second and client address; 0 turns it off")
    rate_burst: int = Field(100, ge=0, description="Requests a client may be ahead of its rate")
    key_rate_limit: float = Field(0, ge=0, description="Requests per second and API key; 0 turns it off")
    connection_limit: int = Field(100, ge=0, description="Connections per client address; 0 turns it off")
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body")
    read_timeout_s: float = Field(35, gt=0, description="Longest wait for an answer of a slot")
    access_log: bool = Field(True, description="JSON access log of Nginx")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",),
        validation_alias=AliasChoices("CORS_ORIGINS", "cors_origins"),
        description="CORS_ORIGINS: origins named in Nginx's own error answers, as in the service",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses (CIDR) whose X-Forwarded-For is believed, e.g. of a CDN"
    )
    sticky: Literal["none", "cookie"] = Field(
        "none", description="cookie: browsers get a random number, so that they stay on their side of the split"
    )
    environment: str = Field(
        "production",
        validation_alias=AliasChoices("ENVIRONMENT", "environment"),
        description="ENVIRONMENT of the slots: in production nobody chooses one without DEPLOY_OVERRIDE_KEY",
    )
    override_key: SecretStr | None = Field(
        None, min_length=16, description="What X-Deployment-Key must hold for X-Deployment-Target to be heeded"
    )
    notify_url: SecretStr | None = Field(
        None, description="Where word of each operation is sent: POST {text}, or `telegram` for that chat"
    )
    tls_certificate: Path | None = Field(None, description="PEM certificate chain; turns TLS and HSTS on")
    tls_key: Path | None = Field(None, description="PEM key of the certificate")

    ready_timeout_s: float = Field(90, gt=0, description="Longest wait for a candidate to be ready")
    drain_timeout_s: float = Field(40, ge=0, description="Longest wait for requests in flight in an old slot")
    stop_grace_s: float = Field(40, ge=0, description="Seconds between SIGTERM and SIGKILL")
    warmup_requests: int = Field(50, ge=0, description="Requests that warm a candidate")
    log_bytes: int = Field(10_000_000, ge=1000, description="Size at which a log is rotated; three are kept")

    judge_interval: float = Field(15, gt=0, description="Seconds between two looks of the judge at a ramp")
    watch: float = Field(600, ge=0, description="Seconds that a promotion is watched, and taken back if worse; 0: not")
    judge_client_requests: int = Field(
        100, ge=0, description="How often one client address counts for the judge, a slot and step; 0: without end"
    )
    judge_refused_rate: float = Field(0.05, ge=0, le=1, description="Tolerated excess of the share of 4xx (fraction)")
    judge_min_requests: int = Field(200, ge=1, description="Fewest requests of each side for a verdict")
    judge_confidence: float = Field(0.98, gt=0.5, lt=1, description="Confidence of the judge's intervals")
    judge_error_rate: float = Field(0.02, ge=0, le=1, description="Tolerated excess of the error rate (fraction)")
    judge_unknown_share: float = Field(0.05, ge=0, le=1, description="Tolerated difference in unknown categories")
    judge_p95_ratio: float = Field(1.5, ge=1, description="Tolerated p95 latency as a multiple of production's")
    judge_p95_floor_s: float = Field(0.05, ge=0, description="p95 below this is never too slow (seconds)")
    judge_grade_distance: float = Field(0.15, ge=0, le=1, description="Tolerated total variation of the grade mix")
    judge_probability: float = Field(0.03, ge=0, le=1, description="Tolerated difference of the mean probability")

    @classmethod
    def load(cls, env_file: Path) -> Self:
        """Read the environment, and what it leaves open from `env_file`.

        Raises:
            UsageError: a value breaks a rule, a name has gone or is one typing error away from a setting, or a line of
                `env_file` is none.
        """
        _check_lines(env_file)
        given = {name.upper() for name, value in (*dotenv_values(env_file).items(), *os.environ.items()) if value}
        known = {f"DEPLOY_{name}".upper() for name in cls.model_fields} | _UNPREFIXED
        for name in sorted(given - known):
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.9)  # as near as for the service's settings
            if name in _SUCCESSORS:
                raise UsageError(f"{name} is gone: {_SUCCESSORS[name]}")
            if close and "_" in name:
                raise UsageError(f"{name} is not a setting: did you mean {close[0]}?")
        try:
            return cls(_env_file=env_file)
        except ValidationError as error:
            raise UsageError("; ".join(map(_words, error.errors()))) from None

    @field_validator("runtime", mode="before")
    @classmethod
    def _known_runtime(cls, value: object) -> object:
        if value == "kubernetes":
            raise ValueError(f"it is no runtime any more: {_KUBERNETES}")
        return value

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            ip_network(address, strict=False)
        return value

    @field_validator("override_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", value.get_secret_value()):
            raise ValueError("use letters, digits and ._~+/=- (it goes into a header)")
        return value

    @field_validator("run_dir", "validate_bets", "nginx_bin", "tls_certificate", "tls_key")
    @classmethod
    def _for_nginx(cls, value: Path | None) -> Path | None:
        if value and re.search(r"[$\x00-\x1f]", str(value)):
            raise ValueError("Nginx can't be told a '$' or a control character: rename it")
        return value.absolute() if value else None

    @field_validator("run_dir")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        try:
            os.scandir(value).close()
        except OSError as error:
            if error.errno != errno.ENOENT or os.path.lexists(value):  # else it is made when it is needed
                raise ValueError(f"{error.strerror}: name a folder that can be read") from None
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("DEPLOY_TLS_CERTIFICATE and DEPLOY_TLS_KEY belong together: set both or none")
        return self

    @property
    def admin_port(self) -> int:
        """Loopback port for stub_status and for reading back what is live."""
        return self.status_port or self.base_port + 9

    def port(self, slot: Slot) -> int:
        """The slot's port."""
        return self.base_port + 1 + SLOTS.index(slot)

    def slot_address(self, slot: Slot) -> str:
        """Where the slot is reached, by Nginx, gates and Prometheus: on loopback only."""
        return f"127.0.0.1:{self.port(slot)}"

    @property
    def url(self) -> str:
        """Address of the load balancer on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return f"{'https' if self.tls_certificate else 'http'}://{host}:{self.base_port}"


def _check_lines(env_file: Path) -> None:
    """Refuse what python-dotenv would leave out with a warning: the slots' keys are in that file, too."""
    try:
        with env_file.open(encoding="utf-8") as file:
            for line in parse_stream(file):
                if line.error or (line.key and line.value is None):
                    number = line.original.line
                    raise UsageError(
                        f"line {number} of {env_file.name} is no setting: write NAME=value, with every quote closed"
                    )
    except (FileNotFoundError, IsADirectoryError):
        return
    except UnicodeDecodeError:
        raise UsageError(f"{env_file.name} is no text: write it in UTF-8") from None


def _words(fault: ErrorDetails) -> str:
    """What is wrong with which setting; what a secret holds is not told."""
    rule = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return rule
    name = str(fault["loc"][0])
    value = "" if "SecretStr" in str(DeploySettings.model_fields.get(name)) else f"={repr(str(fault['input']))[1:-1]}"
    return f"{name if name in _UNPREFIXED else f'DEPLOY_{name}'.upper()}{value}: {rule}"
