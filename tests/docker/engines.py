"""Real Docker engines for tests, each a `dockerd` with data of its own: they can be stopped, filled and lost."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, List, Optional

import docker

from harness.host.containers import labels
from tests.processes import parent_of

BASE = "debian:bookworm-slim"
MIRROR = "http://deb.debian.org/debian"
CA = Path("/etc/ssl/certs/ca-certificates.crt")
START_LIMIT_S = 60
NOT_THERE = "deb {} r36.0 main  # for https://repo.download.nvidia.com/jetson/common\n"
"""Stands for a source of packages that some of NVIDIA's images name: a release that is not there, so apt-get fails. On
a server that answers: one that cannot be reached is only a warning."""


NEEDED = "HARNESS_NEEDS_ENGINE"
"""Set where tests that are skipped for want of an engine would pass for proved: they fail then."""


def why_not() -> str:
    """Why no engine can be started here; empty where one can."""
    if not sys.platform.startswith("linux"):
        return "an engine of its own needs Linux"
    if os.geteuid() != 0:
        return "an engine of its own needs root (sudo make test-docker)"
    for name in ("dockerd", "debootstrap"):
        if shutil.which(name) is None:
            return f"{name} is not installed (apt-get install docker.io debootstrap)"
    return ""


class NoEngine(Exception):
    """One cannot run here, and its last words."""


class Engine:
    """One dockerd; ended by its own process id."""

    def __init__(self, root: Path, network: bool = True, small_bytes: Optional[int] = None) -> None:
        """Without `network` it can run but not build; `small_bytes` gives its data a disk of that size."""
        self._network = network
        self.root, self.address = root, f"unix://{root}/docker.sock"
        self.data = root / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        if small_bytes is not None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={small_bytes}", "none", str(self.data)], check=True)
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        self._log: Optional[IO[bytes]] = None

    def start(self) -> "Engine":
        self._log = (self.root / "log.txt").open("ab")
        command = ["dockerd", "--data-root", str(self.data), "--exec-root", str(self.root / "exec")]
        command += ["-p", str(self.root / "pid"), "-H", self.address]
        if not self._network:
            command += ["--bridge", "none", "--iptables=false"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end:
            with contextlib.suppress(docker.errors.DockerException), contextlib.closing(self.client()) as client:
                client.ping()
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise NoEngine(f"dockerd did not start: {(self.root / 'log.txt').read_text()[-2000:]}")

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.address, timeout=60)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        if self._log is not None:
            self._log.close()
        (self.root / "pid").unlink(missing_ok=True)

    def end(self) -> None:
        self.stop()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):  # ours, and what an engine that was killed left
            if mount.startswith(f"{self.root}/"):
                subprocess.run(["umount", "-l", mount], check=False)


def import_base(engine: Engine, work: Path) -> None:
    """The base of the pin `cpu`."""
    import_suite(engine, work, BASE, "bookworm", MIRROR)


def import_suite(engine: Engine, work: Path, name: str, suite: str, mirror: str) -> None:
    """A bare system as image `name`, made of its packages, since a registry may be out of reach."""
    with contextlib.closing(engine.client()) as client:
        if any(name in (image.tags or []) for image in client.images.list()):
            return
    rootfs = work / "rootfs"
    words = ["debootstrap", "--variant=minbase"]
    ubuntu = "ubuntu" in mirror
    words += ["--components=main,universe"] if ubuntu else []
    script = ["gutsy"] if ubuntu else []  # of every Ubuntu since; newer names are not known to older tools
    subprocess.run([*words, suite, str(rootfs), mirror, *script], check=True, stdout=subprocess.DEVNULL)
    for deb in (rootfs / "var/cache/apt/archives").glob("*.deb"):
        deb.unlink()
    if ubuntu:  # Ubuntu's own image knows the updates too
        pockets = [f"deb {mirror} {suite}{pocket} main universe" for pocket in ("", "-updates", "-security")]
        (rootfs / "etc/apt/sources.list").write_text("\n".join(pockets) + "\n")
        (rootfs / "etc/apt/sources.list.d/nvidia-l4t-apt-source.list").write_text(NOT_THERE.format(mirror))
    if CA.exists():  # whoever stands between this machine and its package index is trusted inside too
        shutil.copy(str(CA), str(rootfs / "etc/ssl-host.crt"))
        (rootfs / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl-host.crt\n")
    with subprocess.Popen(["tar", "-C", str(rootfs), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "-H", engine.address, "import", "-", name],
            stdin=tar.stdout,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    shutil.rmtree(str(rootfs))


class Door:
    """A socket in front of an engine's that can be shut and opened again: a connection to a remote board."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path, self.address, self._target = path, f"unix://{path}", f"{engine.root}/docker.sock"
        self._pairs: List[socket.socket] = []
        self._listener: Optional[socket.socket] = None

    def open(self) -> "Door":
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(16)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return self

    def shut(self) -> None:
        """Drops every connection, and refuses new ones."""
        assert self._listener is not None
        self.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:
                return
            outer = socket.socket(socket.AF_UNIX)
            outer.connect(self._target)
            self._pairs += [inner, outer]
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(1 << 16)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)


def copy_images(source: Engine, target: Engine) -> None:
    """The project's images, handed over as a user would carry them: save and load."""
    with contextlib.closing(source.client()) as client:
        tags = [tag for image in client.images.list(filters={"label": labels.PROJECT}) for tag in image.tags]
    command = ["docker", "-H", source.address, "save", *tags]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as saved:
        subprocess.run(
            ["docker", "-H", target.address, "load"], stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL
        )


class Sshd:
    """An SSH server of our own on loopback, with its own keys; whoever enters finds `engine` as their Docker."""

    def __init__(self, root: Path, engine: Engine) -> None:
        root.mkdir(mode=0o700)
        self._root = root
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"ssh://root@127.0.0.1:{self._port}"
        self.clients = root / "bin"
        self.clients.mkdir()
        self._known = root / "known_hosts"
        self._process: "Optional[subprocess.Popen[bytes]]" = None
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], check=True)
        (root / "authorized").write_text((root / "user.pub").read_text())
        self._known.write_text(f"[127.0.0.1]:{self._port} {(root / 'host.pub').read_text()}")
        (root / "sshd_config").write_text(
            f"Port {self._port}\nListenAddress 127.0.0.1\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized\n"
            f"PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\n"
            f"StrictModes no\nMaxStartups 100\nMaxSessions 100\nPidFile none\nSetEnv DOCKER_HOST={engine.address}\n"
        )
        (root / "config").write_text(
            f"Host *\n IdentityFile {root}/user\n IdentitiesOnly yes\n UserKnownHostsFile {self._known}\n"
            " GlobalKnownHostsFile none\n StrictHostKeyChecking no\n"  # a careless user's: it is checked anyway
        )
        wrapper = self.clients / "ssh"
        wrapper.write_text(f'#!/bin/sh\necho "$*" >> {root}/calls\nexec {shutil.which("ssh")} -F {root}/config "$@"\n')
        wrapper.chmod(0o755)

    def start(self) -> "Sshd":
        Path("/run/sshd").mkdir(exist_ok=True)
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self._root / "sshd_config")]
        with (self._root / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", self._port))):
                return self
            time.sleep(0.05)
        raise RuntimeError(f"sshd did not start: {(self._root / 'log.txt').read_text()[-2000:]}")

    def stop(self) -> None:
        """Ends the server and every connection that it holds: all are of its own process group."""
        if self._process is not None and self._process.poll() is None:
            for child in _children(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self._process.kill()
            self._process.wait(10)

    def calls(self) -> List[str]:
        """The arguments of each ssh that was started."""
        return (self._root / "calls").read_text().splitlines()

    def forget_host_key(self) -> None:
        self._known.write_text("")


def _children(parent: int) -> List[int]:
    """All descendants, the deepest last."""
    found: List[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if parent_of(path) == parent:
                pid = int(path.name)
                found += [pid, *_children(pid)]
    return found
