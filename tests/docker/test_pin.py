"""Pinning against a real registry: tags to digests, several platforms, and a base that was moved."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Dict, Iterator

import msgspec
import pytest
import requests

from harness.errors import LaunchError
from harness.host import cli
from harness.host.containers import image, pins, registry
from harness.host.containers.daemon import Daemon
from tests.docker.conftest import QUIET
from tests.docker.engines import BASE, NEEDED, Engine

CONFIG = """version: 0.1
storage:
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a registry of our own."""
    program = shutil.which("docker-registry")
    if program is None:
        assert NEEDED not in os.environ, "docker-registry is not installed"
        pytest.skip("docker-registry is not installed (apt-get install docker-registry)")
    root = tmp_path_factory.mktemp("registry")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (root / "config.yml").write_text(CONFIG.format(root=root / "data", port=port))
    with (root / "log.txt").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(root / "config.yml")], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/v2/", timeout=5)
                break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def pushed(engine: Engine, hub: str) -> str:
    """The base in that registry; its reference."""
    reference = f"{hub}/library/base:bookworm"
    _push(engine, BASE, reference)
    return reference


def _push(engine: Engine, source: str, reference: str) -> None:
    repository, _, tag = reference.rpartition(":")
    with contextlib.closing(engine.client()) as client:
        client.api.tag(source, repository, tag)
        for line in client.api.push(repository, tag, stream=True, decode=True):
            assert "error" not in line, line


def _remove(engine: Engine, *references: str) -> None:
    with contextlib.closing(engine.client()) as client:
        for one in references:
            client.api.remove_image(one)


def told(engine: Engine, reference: str) -> str:
    """The digest that the engine recorded when it pushed."""
    with contextlib.closing(engine.client()) as client:
        digests: Dict[str, str] = {
            one.partition("@")[0]: one.partition("@")[2] for one in client.api.inspect_image(reference)["RepoDigests"]
        }
    return digests[reference.rpartition(":")[0]]


def test_a_tag_is_resolved_to_what_the_engine_calls_it(engine: Engine, pushed: str) -> None:
    assert registry.digest(pushed, "") == told(engine, pushed)
    assert registry.digest(pushed, "linux/arm64") == told(engine, pushed), "one manifest has no platform to choose"


def test_of_several_platforms_the_wanted_one_is_taken(hub: str, pushed: str) -> None:
    url = f"http://{hub}/v2/library/base/manifests"
    kind = registry.MANIFEST_TYPES[1]
    manifest = requests.get(f"{url}/bookworm", headers={"Accept": kind}, timeout=30).content
    other = json.dumps(json.loads(manifest), indent=1).encode()  # the same image in other bytes
    requests.put(f"{url}/other", other, headers={"Content-Type": kind}, timeout=30).raise_for_status()
    mine, its = registry.digest(pushed, ""), registry.digest(f"{hub}/library/base:other", "")
    assert mine != its
    index = {
        "schemaVersion": 2,
        "mediaType": registry.INDEX_TYPES[1],
        "manifests": [
            {
                "mediaType": kind,
                "size": len(data),
                "digest": digest,
                "platform": {"os": "linux", "architecture": machine, **more},
            }
            for data, digest, machine, more in ((manifest, mine, "amd64", {}), (other, its, "arm64", {"variant": "v8"}))
        ],
    }
    requests.put(
        f"{url}/both", json.dumps(index), headers={"Content-Type": registry.INDEX_TYPES[1]}, timeout=30
    ).raise_for_status()
    both = f"{hub}/library/base:both"
    assert registry.digest(both, "linux/amd64") == mine
    assert registry.digest(both, "linux/arm64") == its
    assert registry.digest(both, "") not in (mine, its), "without a platform the whole index is pinned"
    with pytest.raises(LaunchError, match="no image for linux/s390x there; there are: linux/amd64, linux/arm64/v8"):
        registry.digest(both, "linux/s390x")


def test_what_a_registry_refuses_is_said(hub: str) -> None:
    with pytest.raises(LaunchError, match=r"nobody/has:this: the registry 127.0.0.1:\d+ answers 404: MANIFEST_UNKNOWN"):
        registry.digest(f"{hub}/nobody/has:this", "")
    with pytest.raises(LaunchError, match=r"the registry 127\.0\.0\.1:1 cannot be reached"):
        registry.digest("127.0.0.1:1/nobody/has:this", "")


def test_make_pin_writes_both_digests_and_a_moved_tag_changes_nothing(
    engine: Engine,
    hub: str,
    pushed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    moving = f"{hub}/library/moving:now"
    _push(engine, BASE, moving)
    file = tmp_path / "jetpacks.toml"
    text = pins.PINS.read_text()
    file.write_text(text.replace('"debian:bookworm-slim"', f'"{moving}"'))
    monkeypatch.setattr(pins, "PINS", file)
    assert cli.main(["pin", "--jetpack", "cpu"]) == 0
    digest = told(engine, moving)
    assert f"{moving}: {digest}" in capsys.readouterr().out
    pin = pins.load(file).get("cpu")
    assert (pin.base_digest, pin.devel_digest, pin.pinned) == (digest, digest, True)

    # Somebody moves the tag, and this engine forgets the image: what was pinned is pulled all the same.
    with contextlib.closing(engine.client()) as client:
        made = client.api.create_container(BASE, command=["true"])["Id"]
        client.api.commit(made, "moved-base", "latest")
        client.api.remove_container(made)
    _push(engine, "moved-base:latest", moving)
    assert registry.digest(moving, "") != digest
    repository = moving.rpartition(":")[0]
    _remove(engine, moving, "moved-base:latest")
    daemon = Daemon("local", engine.address)
    found = image.base(daemon, "cpu", pin.base, pin.base_digest, pin.platform, QUIET)
    assert f"{repository}@{digest}" in found

    # A digest that nobody has is refused, also where the tag is there.
    absent = msgspec.structs.replace(pin, base_digest=f"sha256:{'0' * 64}")
    with pytest.raises(LaunchError, match=r"no registry has|manifest unknown|not found"):
        image.base(daemon, "cpu", absent.base, absent.base_digest, "", QUIET)
    daemon.close()
    _remove(engine, f"{repository}@{digest}")
