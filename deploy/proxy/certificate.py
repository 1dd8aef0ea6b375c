"""The certificate and its key as files of the stack, so that Nginx has them wherever it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import RouterError
from deploy.files import names, write_text
from deploy.settings import DeploySettings

__all__ = ["FOLDER", "Certificate", "current_certificate"]

FOLDER = "tls"
_CHAIN, _KEY = ".crt", ".key"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`name` changes with the content, so a renewed certificate is another configuration. Both texts are PEM."""

    name: str
    chain: str = ""
    key: str = ""

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Where chain and key lie; `folder` is Nginx's."""
        tls = folder / FOLDER / self.name
        return tls.with_suffix(_CHAIN), tls.with_suffix(_KEY)

    def lay(self, folder: Path) -> None:
        """Write both, if they are not there, beside those that the running Nginx may have to go back to."""
        chain, key = self.files(folder)
        if self.key and not (chain.exists() and key.exists()):
            write_text(chain, self.chain)
            write_text(key, self.key, mode=0o600)


def current_certificate(
    settings: DeploySettings, folder: Path, config: str | None, say: Callable[[str], None]
) -> Certificate | None:
    """What the settings name; None without TLS.

    When it can't be read here, what the last configuration names goes on: a rollback must not fail by it.

    Raises:
        RouterError: it can't be read, and there is no earlier one.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    try:
        chain, key = (path.read_text(encoding="utf-8") for path in (settings.tls_certificate, settings.tls_key))
    except (OSError, UnicodeDecodeError) as error:
        path = getattr(error, "filename", None) or f"{settings.tls_certificate} or {settings.tls_key}"
        why = f"{path} can't be read ({getattr(error, 'strerror', None) or 'it is no PEM text'})"
        laid = {Path(name).stem for name in names(folder / FOLDER) if name.endswith(_KEY)}
        for name in laid:
            if name in (config or ""):
                say(f"{why}: the copy of the last certificate stays in use")
                return Certificate(name)
        raise RouterError(f"{why}: see DEPLOY_TLS_CERTIFICATE and DEPLOY_TLS_KEY") from error
    return Certificate(hashlib.sha256(f"{chain}\0{key}".encode()).hexdigest()[:16], chain, key)
