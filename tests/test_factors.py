"""Factors of a plan for real: combinations that a backend cannot do, several builds of one engine, issue modes."""

from pathlib import Path

import msgspec

from harness.host import runs
from tests.small_bench import PLAN, block, measured, request


def test_a_combination_that_a_backend_cannot_do_is_skipped_and_the_rest_is_measured(
    models_dir: Path, ready: Path
) -> None:
    plan = msgspec.structs.replace(block(PLAN, io_memory=["host", "pinned"], cuda_graph=[False, True]), rounds=1)
    outcome = measured(request(models_dir, ready, plan))
    assert outcome.counts == {"ok": 2, "skipped": 3}, "the floor and ONNX Runtime as it is; three that need a GPU"
    reasons = {
        (one.experiment.inference.io_memory, one.experiment.inference.cuda_graph is True): one.reason
        for one in runs.load_one(outcome.folder).results
        if one.status == "skipped"
    }
    assert reasons == {
        ("pinned", False): "onnxruntime keeps inputs and outputs in host memory here, not pinned",
        ("pinned", True): "onnxruntime keeps inputs and outputs in host memory here, not pinned",
        ("host", True): "onnxruntime: this harness launches no CUDA graph of it",
    }


def test_an_engine_is_built_as_often_as_asked_and_each_build_is_its_own(models_dir: Path, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(block(PLAN, builds=3), rounds=1)
    outcome = measured(request(models_dir, tmp_path, plan))
    assert outcome.counts == {"ok": 4}, "three builds and the floor"
    data = runs.load_one(outcome.folder)
    built = [one for one in data.engines.values() if one.computes]
    assert {one.ingredients.build.build_number for one in built} == {1, 2, 3}
    assert len({one.key for one in built}) == 3
    folders = [path for path in (tmp_path / "engines").iterdir() if (path / "optimized.onnx").exists()]
    assert len(folders) == 3, "none was taken for another"
