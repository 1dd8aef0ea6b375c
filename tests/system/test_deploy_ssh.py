"""The connection, the lock and the facts of a host behind a real sshd; no engine is needed for them."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.docker_endpoint import SshEndpoint
from deploy.errors import DeployError, Locked, Unreachable, UsageError
from deploy.settings import DeploySettings
from deploy.ssh_connection import SshConnection
from deploy.ssh_lock import hold_script
from deploy.ssh_site import SshSite
from tests.support.need import need
from tests.support.sshd import Sshd

pytestmark = pytest.mark.system


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    (tmp_path / "ssh").mkdir()
    server = Sshd(tmp_path / "ssh")
    yield server
    server.stop()


@pytest.fixture
def settings(sshd: Sshd, tmp_path: Path) -> DeploySettings:
    named = {"run_dir": tmp_path / "run", "remote_dir": str(tmp_path / "a stack"), "ssh_config": sshd.client_config()}
    return DeploySettings.model_validate(named)


@pytest.fixture
def endpoint(sshd: Sshd) -> SshEndpoint:
    need("docker")
    return SshEndpoint("127.0.0.1", sshd.user, sshd.port, "/var/run/docker.sock")


@pytest.fixture
def site(endpoint: SshEndpoint, settings: DeploySettings) -> Iterator[SshSite]:
    with contextlib.closing(SshSite(endpoint, settings)) as made:
        yield made


def test_a_host_is_known_by_its_facts_and_its_loopback_is_reached(site: SshSite, tmp_path: Path) -> None:
    assert site.user == (os.geteuid(), os.getegid())
    assert site.disk.root == tmp_path / "a stack"
    assert site.client_folder.is_relative_to(tmp_path / "run")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        assert site.port_owner(port) == f"a process of {site.name}"
        here = site.reach(port)
        assert here == site.reach(port) != port
        with socket.create_connection(("127.0.0.1", here)) as client:
            client.sendall(b"x")
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(1) == b"x"
    assert site.port_owner(port) is None
    folder = Path(site.environment()["DOCKER_HOST"].removeprefix("unix://")).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    site.close()
    assert not folder.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{here}")


def test_a_host_that_is_unknown_or_lets_nobody_in_is_refused_with_the_remedy(
    sshd: Sshd, endpoint: SshEndpoint, settings: DeploySettings
) -> None:
    (sshd.folder / "known_hosts").write_text("")
    with pytest.raises(Unreachable, match=r"Host key verification failed.*log in once by hand"):
        SshSite(endpoint, settings)
    sshd.client_config()
    (sshd.folder / "authorized_keys").write_text("")
    with pytest.raises(Unreachable, match=r"Permission denied.*a key that needs no passphrase"):
        SshSite(endpoint, settings)
    sshd.stop()
    with pytest.raises(Unreachable, match="Connection refused"):
        SshSite(endpoint, settings)


def test_a_host_without_docker_is_told_what_it_lacks(
    sshd: Sshd, endpoint: SshEndpoint, settings: DeploySettings
) -> None:
    programs = sshd.folder / "bin"
    programs.mkdir()
    for name in ("sh", "cat", "head", "id", "mkdir", "uname"):
        (programs / name).symlink_to(str(shutil.which(name)))
    sshd.wrap(f"export PATH={programs}")
    with pytest.raises(UsageError, match="lacks docker, flock, tar, timeout: install that there"):
        SshSite(endpoint, settings)


def test_one_command_at_a_time_and_whoever_lost_the_lock_changes_nothing_more(
    site: SshSite, endpoint: SshEndpoint, settings: DeploySettings
) -> None:
    said: list[str] = []
    with contextlib.closing(SshSite(endpoint, settings)) as other:
        with site.lock("deploy --version 2"):
            site.disk.write("state.json", "mine")
            holder = other.lock("status").holder()
            assert holder is not None
            assert holder.command == "deploy --version 2"
            with pytest.raises(Locked, match=rf"locked by .*pid {os.getpid()}, at `deploy --version 2`"):
                other.lock("rollback").__enter__()
            assert other.lock("unlock").break_() == holder
            with pytest.raises(Locked, match="nothing more is changed"):
                site.disk.write("state.json", "mine still")
            with other.lock("rollback", said.append):
                other.disk.write("state.json", "the other's")
                with pytest.raises(Locked, match="nothing more is changed"):
                    site.disk.link("nginx/live", "routes/r2")
            assert other.lock("status").holder() is None
        assert site.disk.read("state.json") == "the other's"
        assert said == []
        with site.lock("deploy"):
            assert other.lock("status").holder() is not None
        assert other.lock("status").holder() is None


def test_a_lock_ends_with_its_connection_and_the_next_command_has_it_at_once(
    site: SshSite, endpoint: SshEndpoint, settings: DeploySettings
) -> None:
    lock = site.lock("deploy --version 2")
    lock.__enter__()
    os.kill(site._connection.pid, signal.SIGKILL)
    began = time.monotonic()
    with contextlib.closing(SshSite(endpoint, settings)) as other, other.lock("rollback"):
        assert time.monotonic() - began < 10
        with pytest.raises(DeployError, match=r"the connection to ssh://.* is broken"):
            site.disk.write("state.json", "x")
        with pytest.raises(DeployError, match="is broken"):
            site.reach(8001)
        lock.__exit__(None, None, None)
        assert json.loads((other.disk.root / "lock.json").read_text())["command"] == "rollback"


def test_the_lock_of_a_laptop_that_fell_silent_is_free_again(tmp_path: Path) -> None:
    need("flock")
    script = hold_script(str(tmp_path), '{"token": "7f"}', "7f", silence_s=1)
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as held:
        assert held.stdin is not None
        assert held.stdout is not None
        assert held.stdout.readline() == b"held\n"
        for _ in range(5):
            time.sleep(0.4)
            held.stdin.write(b".")
        assert held.poll() is None
        assert (tmp_path / "lock.json").exists()
        assert held.wait(5) == 0
    assert not (tmp_path / "lock.json").exists()


def test_everything_ends_with_the_process_that_opened_it_even_if_that_is_killed(
    endpoint: SshEndpoint, settings: DeploySettings
) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        connection = SshConnection(endpoint, settings.ssh_config)
        connection.hold("echo; cat >/dev/null")
        os.write(write, str(connection.pid).encode())
        threading.Event().wait()
    os.close(write)
    master = psutil.Process(int(os.read(read, 20)))
    os.close(read)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    end = time.monotonic() + 10
    while master.is_running() and master.status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.05)
    assert not master.is_running() or master.status() == psutil.STATUS_ZOMBIE
