"""The self-test and the crosscheck where workers run in containers of a real engine."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from harness import upgrades
from harness.host import runs
from harness.host.cli import main
from harness.host.containers import image, pins
from harness.host.containers.image import Image
from harness.host.crosscheck.outcome import AGREES, Crosscheck
from tests import tensorrt_run as made
from tests import trtexec_derived
from tests.docker.engines import Engine
from tests.docker.test_whole_job import command


def test_a_selftest_proves_the_container_it_ran_in(
    engine: Engine, models_dir: Path, tmp_path: Path, clean: None
) -> None:
    small = ["--backends", "onnxruntime", "--precisions", "fp32", "--model", "yolov5n@32"]
    ended = command(engine, tmp_path, models_dir, "selftest", *small)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "- container cpu, GPU by none" in ended.stdout
    assert re.search(
        r"^\| engine \| yolov5n@32 onnxruntime fp32 \| ok \| outputs differ by", ended.stdout, re.MULTILINE
    )
    assert re.search(r"^\| doctor \| docker \| ok \| engine ", ended.stdout, re.MULTILINE)


def test_an_image_without_trtexec_says_so_from_inside(
    engine: Engine, models_dir: Path, tmp_path: Path, clean: None
) -> None:
    one = made.experiment(container="cpu")
    folder = made.write(tmp_path, [one], made.rounds(one))
    ended = command(engine, tmp_path, models_dir, "crosscheck")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "nothing was checked: there is no trtexec" in ended.stderr
    found = upgrades.read(runs.crosscheck_path(folder, one), Crosscheck)
    assert found.status == "skipped"
    assert "a container has what its image has" in found.reason


TRTEXEC = """#!/usr/bin/env python3
import sys
print("&&&& RUNNING TensorRT.trtexec [TensorRT v8502] # trtexec")
told = dict(one.partition("=")[::2] for one in sys.argv[1:])
if "--loadEngine" in told:
    assert open(told["--loadEngine"], "rb").read() == {engine!r}
    open(told["--exportTimes"], "w").write({times!r})
"""


def test_what_a_trtexec_exports_inside_comes_out(
    engine: Engine, tmp_path: Path, clean: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    one = made.experiment(container="cpu")
    folder = made.write(tmp_path, [one], made.rounds(one))
    plan = tmp_path / "engines" / made.ingredients(one).key() / "model.engine"
    times = trtexec_derived.text(trtexec_derived.times(120), (8, 5))
    script = TRTEXEC.format(engine=plan.read_bytes(), times=times)
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setattr(image, "ensure", lambda *_: Image(with_trtexec(engine, script), []))
    assert main(["crosscheck", "-q", "--results", str(tmp_path)]) == 0, capsys.readouterr()
    found = upgrades.read(runs.crosscheck_path(folder, one), Crosscheck)
    assert (found.status, found.compared[0].verdict, found.left_out) == ("ok", AGREES, 20)
    assert found.trtexec is not None
    assert found.trtexec.place == "/usr/src/tensorrt/bin"
    assert runs.crosscheck_path(folder, one).with_name("trtexec-times.json").read_text() == times


def with_trtexec(engine: Engine, script: str) -> str:
    """The image of the pin `cpu` with such a program where TensorRT's packages put theirs."""
    buffer, data = io.BytesIO(), script.encode()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("usr/src/tensorrt/bin/trtexec")
        member.mode, member.size = 0o755, len(data)
        tar.addfile(member, io.BytesIO(data))
    client = engine.client()
    container = client.api.create_container(image.tag("cpu", pins.load().get("cpu")), command=["true"])
    client.api.put_archive(container["Id"], "/", buffer.getvalue())
    made_of = client.api.commit(container["Id"])
    client.api.remove_container(container["Id"])
    client.close()
    return str(made_of["Id"])
