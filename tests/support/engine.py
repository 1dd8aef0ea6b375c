"""A container engine of the test run's own, with a base image made from this machine's packages.

Needs root. It touches no networking of the host (`--network host` everywhere) and no other engine. Images made here
hold this machine's package configuration: they end with the engine's folder.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from deploy.proxy.local import find_nginx
from deploy.settings import DeploySettings
from tests.support.need import need
from tests.support.processes import Process
from tests.support.waiting import eventually

BASE_IMAGE = "python:3.11-slim"
NGINX_IMAGE = "nginx:made-here"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_MEMORY = 8e9  # bytes; a run's engines take about five
_HOOKS = (
    (
        'mkdir -p "$1/usr/local/share/ca-certificates" && '
        'cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null; '
        'chroot "$1" update-ca-certificates'
    ),
    (
        'for f in /etc/apt/apt.conf.d/99*; do [ -e "$f" ] && cp "$f" "$1/etc/apt/apt.conf.d/"; done; '
        '[ -e /etc/pip.conf ] && cp /etc/pip.conf "$1/etc/"; true'
    ),
    'rm -f "$1"/usr/lib/python3.*/EXTERNALLY-MANAGED; ln -sf python3 "$1/usr/bin/python"',
)


class Engine:
    """A running engine; `environment` makes `docker` use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.environment = {
            "DOCKER_HOST": f"unix://{self.socket}",
            "PATH": f"/usr/bin:{os.environ['PATH']}",  # Debian's client, which has BuildKit built in
            "BASE_IMAGE": BASE_IMAGE,
            "DEPLOY_IMAGE_OPTIONS": "--network host",
            "DEPLOY_NGINX_IMAGE": NGINX_IMAGE,
        }

    def make_nginx(self, folder: Path) -> None:
        """This environment's Nginx as an image, found by the name `nginx` as in the official one."""
        context = folder / "nginx-image"
        context.mkdir()
        binary = find_nginx(DeploySettings())
        shutil.copy2(binary, context / "nginx")
        (context / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nCOPY nginx /usr/local/bin/nginx\n")
        self.docker("build", "--tag", NGINX_IMAGE, str(context))

    def take(self, other: "Engine", *images: str) -> None:
        """Copy images of another engine."""
        with subprocess.Popen(
            ["docker", "save", *images], env={**os.environ, **other.environment}, stdout=subprocess.PIPE
        ) as saved:
            subprocess.run(
                ["docker", "load", "--quiet"],
                env={**os.environ, **self.environment},
                stdin=saved.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the client; gives its output, error output included."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments[:3])} failed:\n{done.stdout[-2000:]}")
        return done.stdout.strip()


@contextmanager
def shared_engine(folder: Path) -> Iterator[Engine]:
    """The one of all processes of a test run, which share `folder`, with the base image in it.

    Who comes first starts it, and ends it once the others are done. Steps of a build that two ask for are done once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "place"
    with (folder / "users").open("w") as users, ExitStack() as stack:
        fcntl.flock(users, fcntl.LOCK_SH)  # goes with its process, however that ends
        with FileLock(folder / "starting"):
            if place.exists():
                running = Engine(Path(place.read_text()))
            else:
                running = stack.enter_context(engine())
                import_base(running)
                place.write_text(str(running.folder))
                stack.callback(fcntl.flock, users, fcntl.LOCK_EX)  # until the others are done
        yield running


@contextmanager
def engine(within: Sequence[str] = ()) -> Iterator[Engine]:
    """Start one without any image, and end it with all that is in it.

    `within` goes before its command line, to start it elsewhere.
    """
    dockerd = need("dockerd")
    if os.geteuid():
        pytest.skip("a container engine of its own needs root")
    folder = Path(tempfile.mkdtemp(prefix="pikkit-engine-", dir=_place()))
    started = Process(
        [
            *(*within, dockerd, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
            *("--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "docker.pid"),
            *("--host", f"unix://{folder}/docker.sock"),
        ],
        log=folder / "dockerd.log",
    )
    try:
        running = Engine(folder)
        _wait(running, started)
        yield running
        for container in running.docker("ps", "--all", "--quiet").split():
            running.docker("rm", "--force", container)
    finally:
        started.stop(grace=30)
        # The engine leaves the name of the host's network namespace mounted.
        subprocess.run(["umount", str(folder / "exec/netns/default")], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> str:
    """In memory where there is enough of it: an image is many small files, copied several times."""
    memory = Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > _MEMORY
    return str(memory) if enough else "/var/tmp"


def _wait(running: Engine, started: Process) -> None:
    eventually(lambda: "Server Version" in running.docker("info", check=False), told=started.tail)


def import_base(running: Engine) -> None:
    """What `python:3.11-slim` is, as far as a build needs it, and about as large: half a minute, once a week.

    On what is no Debian it is the official one.
    """
    if not _SOURCES.exists():
        running.docker("pull", "--quiet", BASE_IMAGE)
        return
    mmdebstrap = need("mmdebstrap")
    packages = "ca-certificates,python3,python3-venv,python3-pip"
    hooks = [f"--customize-hook={hook}" for hook in _HOOKS]
    places = [*(f"share/{name}/*" for name in ("doc", "info", "locale", "man", "lintian")), "bin/py3compile"]
    left_out = [f"--dpkgopt=path-exclude=/usr/{place}" for place in places]
    options = ["--quiet", "--variant=apt", "--mode=root", "--dpkgopt=force-unsafe-io", *left_out, *hooks]
    recipe = json.dumps([options, packages, _SOURCES.read_text(), time.strftime("%G week %V")])  # new packages weekly
    tar = Path.home() / f".cache/pikkit-base/{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    if not tar.exists():
        _make_base(mmdebstrap, options, packages, running.folder, tar)
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    changes = f"ENV SSL_CERT_FILE={certificates} PIP_CERT={certificates}"
    running.docker("import", "--change", changes, "--change", 'CMD ["bash"]', str(tar), BASE_IMAGE)


def _make_base(mmdebstrap: str, options: Sequence[str], packages: str, work: Path, tar: Path) -> None:
    """Whole or not at all, and in place of older ones; for this user alone, as it holds the machine's configuration."""
    new = work / "base.tar"
    made = subprocess.run(
        [
            *(mmdebstrap, *options, f"--include={packages}"),
            *("bookworm", str(new), str(_SOURCES)),
        ],
        env={**os.environ, "TMPDIR": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"no base image: {made.stderr[-2000:]}")
    tar.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = tar.with_suffix(f".{os.getpid()}")
    shutil.move(new, copy)
    for old in tar.parent.glob("*.tar"):
        old.unlink(missing_ok=True)
    copy.replace(tar)
