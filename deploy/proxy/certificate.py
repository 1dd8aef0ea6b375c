"""The certificate and its key as files of the stack, so that Nginx has them wherever it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from deploy.errors import RouterError
from deploy.files import names, write_text
from deploy.settings import DeploySettings

__all__ = ["FOLDER", "laid_certificate"]

FOLDER = "tls"
_CHAIN, _KEY = ".crt", ".key"


def laid_certificate(
    settings: DeploySettings, folder: Path, config: str | None, say: Callable[[str], None]
) -> tuple[Path, Path] | None:
    """Copies in `folder` (Nginx's) of the chain and key that the settings name; None without TLS.

    Their names change with their content, so a renewed certificate is another configuration, beside the one that the
    running Nginx may have to go back to. When they can't be read, the copies that the last configuration names go on:
    a rollback must not fail by it.

    Raises:
        RouterError: they can't be read, and there are no earlier ones.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    tls = folder / FOLDER
    try:
        chain, key = (path.read_text(encoding="utf-8") for path in (settings.tls_certificate, settings.tls_key))
    except (OSError, UnicodeDecodeError) as error:
        path = getattr(error, "filename", None) or f"{settings.tls_certificate} or {settings.tls_key}"
        why = f"{path} can't be read ({getattr(error, 'strerror', None) or 'it is no PEM text'})"
        for laid in (tls / name for name in names(tls) if name.endswith(_KEY)):
            if laid.stem in (config or ""):
                say(f"{why}: the copy of the last certificate stays in use")
                return laid.with_suffix(_CHAIN), laid
        raise RouterError(f"{why}: see DEPLOY_TLS_CERTIFICATE and DEPLOY_TLS_KEY") from error
    name = hashlib.sha256(f"{chain}\0{key}".encode()).hexdigest()[:16]
    files = tls / f"{name}{_CHAIN}", tls / f"{name}{_KEY}"
    if not all(file.exists() for file in files):
        write_text(files[0], chain)
        write_text(files[1], key, mode=0o600)
    return files
