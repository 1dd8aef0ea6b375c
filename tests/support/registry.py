"""A real registry of container images on loopback, for tests; it lets in one user."""

import base64
import json
import subprocess
from pathlib import Path

import httpx

from tests.support.need import need
from tests.support.ports import free_port
from tests.support.processes import Process

USER, PASSWORD = "builder", "made-up-for-this-test"


class Registry:
    """Runs until `stop`; an engine takes it without TLS, as it is on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._program = need("docker-registry")
        self._folder = folder
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        # The registry knows passwords by bcrypt only, which the C library has and Perl, on every Debian, hands on.
        salted = ["perl", "-e", r'print crypt($ARGV[0], "\$2b\$05\$abcdefghijklmnopqrstuu")', PASSWORD]
        hashed = subprocess.run(salted, capture_output=True, text=True, check=True).stdout
        (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": self.name, "secret": "of-this-test"},
            "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
        }
        (folder / "config.yml").write_text(json.dumps(config))
        self.start()

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://{self.name}/v2/", auth=(USER, PASSWORD))

    def start(self) -> None:
        self._process = Process([self._program, "serve", self._folder / "config.yml"], log=self._folder / "log")
        self._process.wait_until_http(f"http://{USER}:{PASSWORD}@{self.name}/v2/")

    def stop(self) -> None:
        self._process.stop()

    def tags(self, repository: str) -> dict[str, str]:
        """Every tag, with the digest that it names."""
        with self.client as client:
            listed = client.get(f"{repository}/tags/list")
            if listed.status_code == httpx.codes.NOT_FOUND:
                return {}
            accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
            return {
                tag: client.head(f"{repository}/manifests/{tag}", headers=accept).headers["Docker-Content-Digest"]
                for tag in listed.json()["tags"] or []
            }

    def login(self, configuration: Path) -> None:
        """Write what `docker login` would write to that folder."""
        configuration.mkdir(exist_ok=True)
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (configuration / "config.json").write_text(json.dumps({"auths": {self.name: {"auth": secret}}}))
