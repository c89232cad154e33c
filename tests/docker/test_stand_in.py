"""The JetPack images as far as they can be built without their bases: on bare Ubuntu of the base's own release.

What stays unproved: pycuda and nvcc (of the base's CUDA), TVM from source (the same, and a checkout of its repository),
TensorRT, and everything on arm64.
"""

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple

import pytest

from harness.host.containers import image, pins
from harness.host.containers.daemon import Daemon
from tests.docker.engines import Engine, import_suite

UBUNTU = {"jetpack5": "focal", "jetpack6": "jammy", "jetpack7": "noble"}
MIRROR = "http://archive.ubuntu.com/ubuntu"
BEYOND = re.compile(r"git clone|/src/tvm|nvcc")
CHECK = """
import sys, numpy, msgspec, onnx, onnxruntime
session = onnxruntime.InferenceSession(onnx.helper.make_model(onnx.helper.make_graph(
    [onnx.helper.make_node("Relu", ["x"], ["y"])], "g",
    [onnx.helper.make_tensor_value_info("x", 1, [2])], [onnx.helper.make_tensor_value_info("y", 1, [2])]),
    ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)]).SerializeToString(),
    providers=["CPUExecutionProvider"])
assert session.run(None, {"x": numpy.float32([-1, 2])})[0].tolist() == [0, 2]
print("python", "%d.%d" % sys.version_info[:2], sys.prefix)
"""


class StandIn(NamedTuple):
    files: Dict[str, bytes]
    left_out: List[str]


def stand_in(pin: pins.Pin) -> StandIn:
    """The pin's files without what needs CUDA or TVM's repository."""
    left_out = []
    text = pin.files()[f"{pin.family}.Dockerfile"].decode()
    instructions = re.split(r"(?<!\\)\n", text)
    for one in [one for one in instructions if BEYOND.search(one) and one.startswith("RUN")]:
        instructions.remove(one)
        left_out.append(one.split("\n")[0])
    name = f"requirements/{pin.family}.txt"
    blocks = re.split(r"\n(?=\S)", pin.files()[name].decode())
    left_out += [one.split("\n")[0] for one in blocks if one.startswith("pycuda==")]
    lock = "\n".join(one for one in blocks if not one.startswith("pycuda=="))
    return StandIn({f"{pin.family}.Dockerfile": "\n".join(instructions).encode(), name: lock.encode()}, left_out)


def families() -> Dict[str, str]:
    """Family to the newest pin of it."""
    return {pin.family: name for name, pin in pins.load().pins.items() if pin.family in UBUNTU}


def test_every_familys_base_has_a_stand_in() -> None:
    assert {pin.family for pin in pins.load().pins.values() if pin.cuda} == set(UBUNTU)


@pytest.mark.stand_in
@pytest.mark.parametrize("family", sorted(UBUNTU))
def test_a_jetpacks_stages_build_on_what_its_base_is_made_of(engine: Engine, tmp_path: Path, family: str) -> None:
    pin = pins.load().get(families()[family])
    made = stand_in(pin)
    assert any(one.startswith("pycuda==") for one in made.left_out)
    reference = f"stand-in:{family}"
    import_suite(engine, tmp_path, reference, UBUNTU[family], MIRROR)
    daemon = Daemon("test", engine.address)
    said = []
    with contextlib.closing(daemon), daemon.words():
        for line in daemon.client.api.build(
            fileobj=image._context(made.files),
            custom_context=True,
            dockerfile=f"{family}.Dockerfile",
            tag=f"{reference}-built",
            buildargs={**image.arguments(pin), "BASE": reference, "DEVEL": reference},
            rm=True,
            forcerm=True,
            decode=True,
        ):
            said.append(line.get("stream", ""))
            assert "error" not in line, line["error"] + "".join(said[-30:])
    words = ["docker", "-H", engine.address, "run", "--rm", "--network", "none", f"{reference}-built"]
    ended = subprocess.run([*words, "python", "-c", CHECK], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["python", pin.python, "/opt/runtimes"]
