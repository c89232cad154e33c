"""The whole job on a machine without a GPU: engines are built for real, cells end as skipped, and a report says so."""

from pathlib import Path

import msgspec
import numpy
import pytest
from PIL import Image

from harness.host import runs
from harness.host.board import LocalBoard
from harness.host.progress import Progress
from harness.host.report import write
from harness.host.survey import survey
from tests.small_bench import PLAN, block, measured, request


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder, random = tmp_path / "images", numpy.random.RandomState(1)
    folder.mkdir()
    for number in range(3):
        pixels = random.randint(0, 256, (48, 64, 3)).astype(numpy.uint8)
        Image.fromarray(pixels).save(str(folder / f"{number}.png"))
    return folder


def test_a_plan_for_tensorrt_is_built_by_rtx_under_its_own_name_and_its_cells_are_skipped(
    models_dir: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    plan = block(PLAN, backends=["tensorrt", "onnxruntime"], precisions=["fp32", "fp16", "int8"], builds=1)
    plan = msgspec.structs.replace(plan, rounds=1, calibration=str(images))
    survey(plan, LocalBoard(tmp_path / ".work"), models_dir, tmp_path, Progress())
    assert "tensorrt_rtx is, which is another product" in capsys.readouterr().err

    outcome = measured(request(models_dir, tmp_path, plan))
    # The floor, ONNX Runtime in two precisions; its int8 and three of TensorRT-RTX are skipped.
    assert outcome.counts == {"ok": 3, "skipped": 4}
    data = runs.load_one(outcome.folder)
    ours = {
        one.experiment.build.precision: one for one in data.results if one.experiment.build.backend == "tensorrt_rtx"
    }
    assert set(ours) == {"fp32", "fp16", "int8"}
    assert all(one.reason.startswith("no device here can run this engine") for one in ours.values())
    assert not [one for one in data.results if one.experiment.build.backend == "tensorrt"]

    engines = {
        one.ingredients.build.precision: one for one in data.engines.values() if one.variant or one.precision_source
    }
    assert {name: one.precision_source for name, one in engines.items()} == dict.fromkeys(ours, "model")
    assert {one.ingredients.version for one in engines.values()} == {"tensorrt-rtx 1.7.1.116"}
    assert engines["int8"].settings["calibration"] == "minmax, 3 batches" and engines["int8"].ingredients.calibration
    assert engines["fp32"].files["model.engine"] > engines["fp16"].files["model.engine"]

    report = write(outcome.folder).path.read_text()
    assert "TensorRT-RTX" in report and "no device here can run this engine" in report
    tables = "\n".join(line for line in report.splitlines() if line.startswith("|"))
    assert "TensorRT" not in tables.replace("TensorRT-RTX", ""), "no table calls it TensorRT"
