"""Mutates plans, ONNX files and result files: `python -m tests.fuzz --count 10000 --seconds 900`; not a part of CI.

A case is bad when it ends in anything but a HarnessError or success, when it hangs, or when a file appears where none
belongs. What a runtime does with a model that onnx accepts happens in a worker, as in any bench: every 100th case goes
through the whole command line.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import msgspec
import onnx

from harness import upgrades
from harness.errors import HarnessError
from harness.host import matrix, report, runs
from harness.host import plan as plans
from harness.host.models.prepare import prepare
from harness.host.plan import Overrides
from harness.records import Result, digest
from tests import example_run
from tests.example_run import experiment, result

ROOT = Path(__file__).resolve().parents[1]
CASE_LIMIT_S = 20
WHOLE_EVERY = 100
NASTY: List[object] = [
    None,
    True,
    -1,
    0,
    2**63,
    1e308,
    float("1e-320"),
    "",
    "x" * 5000,
    "\u202e|`<b>",
    [],
    {},
    [[]],
    "../..",
]
WORDS = [
    b"[",
    b"]",
    b'"',
    b"=",
    b"\n",
    b"nan",
    b"-1",
    b"1e999",
    b"true",
    b"{}",
    b"0x10",
    b"#",
    b"'''",
    b"\xff",
    b"[[",
    b",",
]


class Hang(BaseException):
    pass


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to five small damages: a flipped bit, a lost or doubled stretch, a foreign word, a cut."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(damaged) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(damaged):
            damaged[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del damaged[at : at + chance.randint(1, 30)]
        elif kind == 2:
            damaged[at:at] = damaged[at : at + chance.randint(1, 60)]
        elif kind == 3:
            damaged[at:at] = chance.choice(WORDS)
        elif chance.random() < 0.2:
            del damaged[at:]
    return bytes(damaged)


def mutated_values(value: object, chance: random.Random) -> object:
    """The same tree with now and then a nasty value, a missing field or a doubled one."""
    if chance.random() < 0.02:
        return chance.choice(NASTY)
    if isinstance(value, dict):
        kept = {key: mutated_values(one, chance) for key, one in value.items() if chance.random() > 0.01}
        return {**kept, "extra": 1} if chance.random() < 0.01 else kept
    if isinstance(value, list):
        return [mutated_values(one, chance) for one in value[: chance.choice([len(value), len(value), 1])]]
    return value


def mutated_graph(data: bytes, chance: random.Random) -> bytes:
    """A file that still parses, with a graph that may be nonsense: names, operators, shapes, types, lost parts."""
    model = onnx.load_from_string(data)
    graph = model.graph
    for _ in range(chance.randint(1, 3)):
        node = chance.choice(graph.node) if graph.node else None
        value = chance.choice([*graph.input, *graph.output]) if graph.input or graph.output else None
        kind = chance.randrange(8)
        if kind == 0 and node:
            node.op_type = chance.choice(["Relu", "Conv", "Loop", "Nonsense", "", "NonZero", "Reshape"])
        elif kind == 1 and node and node.input:
            node.input[0] = chance.choice(["", "x", "y", "nowhere", "../../etc"])
        elif kind == 2 and value:
            value.name = chance.choice(["", "x", "y", "a/b", "\u202e|`<b>", "x" * 300])
        elif kind == 3 and value:
            value.type.tensor_type.elem_type = chance.choice([0, 1, 7, 8, 9, 10, 16, 99])
        elif kind == 4 and value and value.type.tensor_type.shape.dim:
            dim = chance.choice(value.type.tensor_type.shape.dim)
            if chance.random() < 0.5:
                dim.dim_param = chance.choice(["", "n", "images"])
            else:
                dim.dim_value = chance.choice([-1, 0, 1, 5, 2**40, -(2**63)])
        elif kind == 5 and graph.node:
            del graph.node[chance.randrange(len(graph.node))]
        elif kind == 6 and value:
            chance.choice([graph.input, graph.output]).append(value)
        else:
            model.opset_import[0].version = chance.choice([0, 1, 7, 21, 99, -1])
    return bytes(model.SerializeToString())


class Fuzz:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.plans = [path.read_bytes() for path in plans.PLANS.glob("*.toml")]
        one = experiment("onnxruntime")
        rows = [result(one, number) for number in range(1, 4)]
        self.run = example_run.write(folder / "results" / "mine", rows, [one], rounds=3)
        self.result_path = runs.result_path(self.run, one, 2)
        self.result = self.result_path.read_bytes()
        model = prepare(_models(folder), "yolov5n@32", 1).path.read_bytes()
        self.models = [_small_model(), _small_model(), _small_model(), model]

    def plan(self) -> None:
        path = self.folder / "plan.toml"
        path.write_bytes(mutated(self.chance.choice(self.plans), self.chance))
        plan = plans.load(str(path), Overrides())
        plans.models(plan)
        if sum(len(block.models) for block in plan.experiments) < 1000:
            matrix.experiments(plan, 2)

    def result_file(self) -> None:
        """Bytes are damaged, or values with a content hash that fits them, so that what reads deeper is reached too."""
        if self.chance.random() < 0.3:
            data = mutated(self.result, self.chance)
        else:
            raw = mutated_values(msgspec.json.decode(self.result), self.chance)
            if isinstance(raw, dict):
                raw.pop(upgrades.CONTENT, None)
                raw[upgrades.CONTENT] = digest(raw, 64)
            data = msgspec.json.encode(raw)
        self.result_path.write_bytes(data)
        try:
            upgrades.decode(data, Result, "result.json")
        except HarnessError:
            if self.chance.random() < 0.9:  # rendering is slow, and of a broken file the same each time
                return
        report.write(self.run)

    def broken_model(self) -> bytes:
        change = self.chance.choice([mutated, mutated_graph, mutated_graph])
        return change(self.chance.choice(self.models), self.chance)

    def model(self) -> None:
        path = self.folder / "given.onnx"
        path.write_bytes(self.broken_model())
        sizes = {"x": [1, 3, 4, 4]} if self.chance.random() < 0.5 else {}
        prepare(_models(self.folder), str(path), 1, sizes)

    def whole(self) -> None:
        """A damaged model through the command line: its cell may fail or crash, the command says so and ends."""
        path = self.folder / "given.onnx"
        path.write_bytes(self.broken_model())
        words = ["bench", "--model", str(path), "--backends", "onnxruntime", "--rounds", "1", "--threads", "1"]
        words += ["--iterations", "10", "--max-seconds", "1", "--results", str(self.folder / "results")]
        words += ["--models-dir", str(_models(self.folder))]
        ended = subprocess.run(
            [sys.executable, "-m", "harness", *words],
            cwd=str(ROOT),
            capture_output=True,
            text=True,
            timeout=CASE_LIMIT_S,
            check=False,
        )
        if "Traceback" in ended.stderr or ended.returncode not in {0, 1, 2}:
            raise AssertionError(f"exit {ended.returncode}: {ended.stderr[-2000:]}")


def _models(folder: Path) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    for path in (ROOT / "models").glob("*.toml"):
        (folder / "models" / path.name).write_bytes(path.read_bytes())
    return folder / "models"


def _small_model(opset: int = 13) -> bytes:
    from tests.test_bad_input import broken_models

    with tempfile.TemporaryDirectory() as folder:
        model = onnx.load(str(broken_models(Path(folder) / "m")["opset"]))
    model.opset_import[0].version = opset
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _listing(folder: Path) -> Tuple[str, ...]:
    return tuple(sorted(str(path) for path in folder.iterdir()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    def too_long(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, too_long)
    done: Dict[str, int] = {}
    refused: Dict[str, int] = {}
    bad: List[str] = []
    begin, home = time.monotonic(), Path.cwd()
    with tempfile.TemporaryDirectory() as outer:
        folder, elsewhere = Path(outer) / "fuzz", Path(outer) / "elsewhere"
        folder.mkdir()
        elsewhere.mkdir()
        fuzz = Fuzz(folder, given.seed)
        os.chdir(str(elsewhere))
        before = _listing(folder)
        kinds: List[Callable[[], None]] = [fuzz.plan, fuzz.result_file, fuzz.model]
        for number in range(given.count):
            if time.monotonic() - begin > given.seconds:
                break
            case = fuzz.whole if number % WHOLE_EVERY == WHOLE_EVERY - 1 else kinds[number % len(kinds)]
            done[case.__name__] = done.get(case.__name__, 0) + 1
            signal.alarm(CASE_LIMIT_S + 5)
            try:
                case()
            except HarnessError as error:
                refused[case.__name__] = refused.get(case.__name__, 0) + 1
                if not re.search(r"\w", str(error)):
                    bad.append(f"{number} {case.__name__}: a message without words")
            except (Hang, Exception) as error:
                last = traceback.format_exc().strip().splitlines()
                bad.append(f"{number} {case.__name__}: {type(error).__name__}: " + " / ".join(last[-3:])[:600])
            finally:
                signal.alarm(0)
            strangers = set(_listing(folder)) - {*before, str(folder / "plan.toml"), str(folder / "given.onnx")}
            if strangers or _listing(elsewhere):
                bad.append(f"{number} {case.__name__}: files outside the run: {strangers or _listing(elsewhere)}")
                break
        os.chdir(home)
    print(f"{sum(done.values())} cases in {time.monotonic() - begin:.0f} s: {done}; refused in words: {refused}")
    for text in bad[:20]:
        print(f"BAD {text}")
    print(f"{len(bad)} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
