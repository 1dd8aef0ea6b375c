"""Self-signed certificates for tests."""

import ssl
import subprocess
from pathlib import Path

from tests.support.need import need


def self_signed(folder: Path) -> dict[str, str]:
    """A new key and certificate for `localhost`, in place of what the folder has; the settings that name them."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = [
        need("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    return {"DEPLOY_TLS_CERTIFICATE": str(certificate), "DEPLOY_TLS_KEY": str(key)}


def shown(port: int) -> str:
    """The certificate that is shown to a client, as PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=60)
