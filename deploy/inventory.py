"""The inventory: which hosts there are, how each is reached, and what is set on it. Pure: text in, values out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import ValidationError

from deploy.errors import UsageError
from deploy.runtimes.kubernetes_settings import KubernetesSettings
from deploy.settings import DeploySettings

__all__ = ["Host", "chosen", "parse_inventory"]

_KEYS = ("name", "local", "ssh", "folder", "key", "known_hosts", "url", "env")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_SSH = re.compile(r"(?P<user>[A-Za-z_][\w.-]*)@(?P<address>[A-Za-z0-9][A-Za-z0-9.-]*)(?::(?P<port>\d{1,5}))?")
_HIGHEST_PORT = 65_535
_OTHER_NAMES = ("BENTOML_HOME", "DATA_DIR", "DOCKER_HOST", "MODEL_DIR")
_DEFAULTS = {"DEPLOY_RUN_DIR": ".run", "DEPLOY_BASE_PORT": "8000"}


def _names() -> dict[str, str]:
    """Environment name → field of the deploy settings."""
    own = {f"DEPLOY_{name}".upper(): name for name in DeploySettings.model_fields}
    for name in ("base_image", "nginx_bin", "cors_origins"):
        del own[f"DEPLOY_{name}".upper()]
        own[name.upper()] = name
    return own


_FIELDS = _names()
_ALLOWED = {*_FIELDS, *(f"DEPLOY_{name}".upper() for name in KubernetesSettings.model_fields), *_OTHER_NAMES}


@dataclass(frozen=True, slots=True)
class Host:
    """One host. Without `user` and `address` it is this machine."""

    name: str
    env: Mapping[str, str]
    user: str = ""
    address: str = ""
    port: int = 22
    folder: str = ""
    key: str = ""
    known_hosts: str = ""
    url: str = ""

    @property
    def local(self) -> bool:
        """Whether commands run here, from this checkout."""
        return not self.address

    @property
    def place(self) -> str:
        """For people."""
        return "this machine" if self.local else f"{self.user}@{self.address}:{self.port} {self.folder}"


def parse_inventory(text: str, file: str) -> tuple[Host, ...]:
    """The hosts in file order; `file` stands in the errors.

    Raises:
        UsageError: the file is not as it must be; names the file, the key, the rule and the remedy.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}; see deploy/hosts.example.toml") from error
    _known(data, ("hosts",), file)
    tables = data.get("hosts")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{file} has no hosts: write a table [[hosts]] for each; see deploy/hosts.example.toml")
    hosts = tuple(_host(table, f"{file}: hosts[{number}]") for number, table in enumerate(tables))
    _distinct(hosts, file)
    return hosts


def chosen(hosts: tuple[Host, ...], *, first: str | None = None, only: str | None = None) -> tuple[Host, ...]:
    """The hosts from `first` on, or those named in `only` (commas between), always in file order.

    Raises:
        UsageError: both are given, or a name is not in the inventory.
    """
    if first and only:
        raise UsageError("--from and --only exclude each other: give one of them")
    names = [host.name for host in hosts]
    wanted = [part.strip() for part in (only or first or "").split(",") if part.strip()]
    for name in wanted:
        if name not in names:
            raise UsageError(f"there is no host {name!r} in the inventory: it has {', '.join(names)}")
    if first:
        if len(wanted) != 1:
            raise UsageError(f"--from {first!r} must be one host: use --only for several")
        return hosts[names.index(wanted[0]) :]
    if only is not None and not wanted:
        raise UsageError("--only names no host: write --only web1,web2")
    return tuple(host for host in hosts if host.name in wanted) if wanted else hosts


def _known(table: Mapping[str, object], keys: Iterable[str], where: str) -> None:
    for key in table:
        if key == "docker_host":
            raise UsageError(
                f"{where}: docker_host is not a key: write local = true, and in [hosts.env] "
                'DEPLOY_RUNTIME = "docker" and DOCKER_HOST = "ssh://user@host"'
            )
        if key not in keys:
            raise UsageError(f"{where}: unknown key {key!r}: known are {', '.join(keys)}")


def _text(table: Mapping[str, object], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (key in table and not value.strip()):
        raise UsageError(f"{where}: {key} is {value!r}: it must be a text that is not empty")
    if any(ord(character) < ord(" ") for character in value):
        raise UsageError(f"{where}: {key} is {value!r}: it must be one line without control characters")
    return value


def _host(table: Mapping[str, object], where: str) -> Host:
    _known(table, _KEYS, where)
    name = _text(table, "name", where)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: name is {name!r}: write 1 to 32 of a-z 0-9 . _ -, beginning with a letter or digit")
    where = f"{where} ({name})"
    env = _environment(table.get("env", {}), where)
    url = _text(table, "url", where)
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise UsageError(f"{where}: url is {url!r}: write the live address, e.g. https://web1.example.com")
    if "local" in table and table["local"] is not True:
        raise UsageError(f"{where}: local is {table['local']!r}: write local = true, or ssh = and folder = instead")
    if ("local" in table) == ("ssh" in table):
        raise UsageError(f'{where}: needs either local = true or ssh = "user@host[:port]", and not both')
    if "local" in table:
        for key in ("folder", "key", "known_hosts"):
            if key in table:
                raise UsageError(f"{where}: {key} is for hosts reached by ssh: a local host runs this checkout")
        return Host(name, env, url=url)
    return _remote(table, where, Host(name, env, url=url))


def _remote(table: Mapping[str, object], where: str, host: Host) -> Host:
    ssh = _text(table, "ssh", where)
    found = _SSH.fullmatch(ssh)
    if not found or not 0 < int(found["port"] or 22) <= _HIGHEST_PORT:
        raise UsageError(f"{where}: ssh is {ssh!r}: write user@host or user@host:port")
    folder = _text(table, "folder", where)
    if not folder.startswith("/"):
        raise UsageError(f"{where}: folder is {folder!r}: write the absolute path of the clone on that host")
    return Host(
        host.name,
        host.env,
        user=found["user"],
        address=found["address"],
        port=int(found["port"] or 22),
        folder=folder,
        key=_text(table, "key", where),
        known_hosts=_text(table, "known_hosts", where),
        url=host.url,
    )


def _environment(table: object, where: str) -> dict[str, str]:
    if not isinstance(table, dict):
        raise UsageError(f"{where}: env is {table!r}: write a table [hosts.env] of settings")
    env = {}
    for name, value in table.items():
        if name not in _ALLOWED:
            raise UsageError(
                f"{where}: env.{name} is not a setting of deploy (deploy/settings.py): correct its name; what the "
                "service reads, and every secret, belongs into `.env` on the host"
            )
        if isinstance(value, bool):
            env[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            env[name] = str(value)
        else:
            raise UsageError(f"{where}: env.{name} is {value!r}: write a text, a number, true or false")
        if any(ord(character) < ord(" ") for character in env[name]):
            raise UsageError(f"{where}: env.{name} is {value!r}: it must be one line without control characters")
    given = {_FIELDS[name]: value for name, value in env.items() if name in _FIELDS}
    try:
        DeploySettings.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            field = str(fault["loc"][0]).lower() if fault["loc"] else ""
            if field in given or not field:
                name = next((name for name, known in _FIELDS.items() if known == field), "")
                raise UsageError(f"{where}: env.{name} is {given.get(field)!r}: {fault['msg']}") from error
    return env


def _distinct(hosts: tuple[Host, ...], file: str) -> None:
    names: set[str] = set()
    taken: dict[tuple[str, ...], str] = {}
    for host in hosts:
        if host.name in names:
            raise UsageError(f"{file}: two hosts are named {host.name!r}: give each a name of its own")
        names.add(host.name)
        for setting, default in _DEFAULTS.items():
            value = host.env.get(setting, default)
            # On another machine two clones have two run folders, though they are written alike.
            place = host.folder if setting == "DEPLOY_RUN_DIR" and not value.startswith("/") else ""
            spot = (host.env.get("DOCKER_HOST", host.address), setting, place, value.rstrip("/"))
            if spot in taken:
                raise UsageError(
                    f"{file}: {taken[spot]} and {host.name} are on one machine with the same {setting} ({value}): "
                    "set another one in [hosts.env]"
                )
            taken[spot] = host.name
