"""What users and machines get wrong, for real: broken models, broken, moved and edited results, foreign engines."""

import shutil
import sys
from pathlib import Path
from typing import Dict

import msgspec
import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness import upgrades
from harness.errors import BuildError, RecordError
from harness.host import report, runs
from harness.host.block import Block
from harness.jobs import BenchJob
from harness.records import Engine
from harness.worker.bench import checked_engine
from tests.small_bench import PLAN, ROOT, block, measured, request, results_of


def broken_models(folder: Path) -> Dict[str, Path]:
    """By what is wrong with them."""
    folder.mkdir()
    weights = numpy_helper.from_array(numpy.ones((2, 3, 1, 1), numpy.float32), "weights")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weights"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [value("y", TensorProto.FLOAT, [1, 2, 4, 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    paths = {
        name: folder / f"{name}.onnx" for name in ("empty", "truncated", "text", "external", "opset", "nan", "dynamic")
    }
    paths["empty"].write_bytes(b"")
    paths["truncated"].write_bytes(model.SerializeToString()[:-40])
    paths["text"].write_text("this is not ONNX\n")
    dynamic = onnx.ModelProto()
    dynamic.CopyFrom(model)
    dynamic.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    paths["dynamic"].write_bytes(dynamic.SerializeToString())
    onnx.save(model, str(paths["external"]), save_as_external_data=True, location="gone.bin", size_threshold=0)
    (folder / "gone.bin").unlink()
    newer = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9999)], ir_version=7)
    paths["opset"].write_bytes(newer.SerializeToString())
    nodes = [helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Log", ["n"], ["y"])]
    of_nan = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, [1, 8])], [value("y", TensorProto.FLOAT, [1, 8])]
    )
    model = helper.make_model(of_nan, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    paths["nan"].write_bytes(model.SerializeToString())
    return paths


def test_broken_models_fail_their_cells_with_the_parsers_words_and_no_others(models_dir: Path, tmp_path: Path) -> None:
    paths = broken_models(tmp_path / "broken")
    wanted = [str(path) for path in paths.values()]
    plan = msgspec.structs.replace(block(PLAN, models=[*wanted, "yolov5n@64"], backends=["onnxruntime"]), rounds=1)
    if sys.version_info >= (3, 10):
        some = Block(models=[str(paths["truncated"]), str(paths["opset"])], backends=["tvm"], threads=[1])
        plan = msgspec.structs.replace(plan, experiments=[*plan.experiments, some])
    outcome = measured(request(models_dir, tmp_path / "results", plan))
    data = runs.load_one(outcome.folder)
    by_cell = {(one.experiment.build.model, one.experiment.build.backend): one for one in data.results}
    assert by_cell["yolov5n@64", "onnxruntime"].status == "ok"
    for cell, result in by_cell.items():
        if cell[0] != "yolov5n@64":
            assert result.status == "failed", f"{cell}: {result.status}: {result.reason}"
            assert result.samples is None, "a failed inference never yields a latency"
    assert len(by_cell) == 1 + len(paths) + 1 + (2 if sys.version_info >= (3, 10) else 0)
    words = {name: by_cell[name, "onnxruntime"].reason for name in paths}
    assert "ONNXRuntimeError" in words["truncated"]
    assert "ONNXRuntimeError" in words["text"]
    assert "gone.bin" in words["external"]
    assert "9999" in words["opset"]
    assert "holds NaN or Inf in 8 of 8 values" in words["nan"]
    assert "x is batch x 3 x 4 x 4: dynamic dimensions need a size, like SHAPES=x:" in words["dynamic"]
    text = report.write(outcome.folder).path.read_text()
    text = text.replace(data.run.command, "")
    for folder in (tmp_path, models_dir, ROOT, Path.home()):
        assert f"{folder}/" not in text, "a report names no path of its machine"


def test_broken_results_are_told_apart_left_alone_and_left_out(models_dir: Path, ready: Path) -> None:
    plan = msgspec.structs.replace(PLAN, rounds=3)
    folder = measured(request(models_dir, ready, plan, run="mine")).folder
    paths = sorted(folder.glob("local/*onnxruntime*/*/result.json"))
    whole = [path.read_bytes() for path in paths]
    paths[0].write_bytes(whole[0][: len(whole[0]) // 2])
    newer = msgspec.json.decode(whole[1])
    paths[1].write_bytes(msgspec.json.encode({**newer, "schema": 99}))
    paths[2].write_bytes(whole[2].replace(b'"elapsed_s": ', b'"elapsed_s": 9', 1))
    damaged = [path.read_bytes() for path in paths]

    text = report.write(folder).path.read_text()
    assert "3 files of this run cannot be read" in text
    for words in ("is not JSON", "newer harness (schema 99", "was changed after it was written"):
        assert words in text
    assert "1/result.json" in text
    assert [path.read_bytes() for path in paths] == damaged
    with pytest.raises(Exception, match=r"cannot be gone on with: .*result\.json"):
        measured(request(models_dir, ready, plan, run="mine"))
    assert [path.read_bytes() for path in paths] == damaged
    other = measured(request(models_dir, ready, plan))
    assert other.folder != folder, "without its name, a damaged run is left alone and a new one is started"


def test_a_result_that_was_moved_is_not_taken_for_another(finished: Path) -> None:
    folder = finished / "mine"
    assert runs.load_one(folder).broken == []
    first, second = sorted(folder.glob("local/*onnxruntime*/*/result.json"))[:2]
    shutil.copy(str(first), str(second))
    assert any("is the result of another cell" in text for text in runs.load_one(folder).broken)


def test_a_broken_run_record_is_named_and_others_are_found(finished: Path) -> None:
    (finished / "torn").mkdir()
    (finished / "torn" / "run.json").write_text('{"kind": "run"')
    assert runs.find(finished, None).name == "mine"
    with pytest.raises(RecordError, match=r"torn/run\.json is not JSON"):
        runs.load_one(runs.find(finished, "torn"))


@pytest.mark.parametrize(
    ("field", "value"), [("version", "0.0.1"), ("architecture", "another machine"), ("model_sha256", "0" * 64)]
)
def test_an_engine_of_something_else_is_refused_by_the_worker_and_built_again_by_the_host(
    models_dir: Path, finished: Path, field: str, value: str
) -> None:
    folder = finished / "mine"
    result = results_of(folder)["onnxruntime", 1]
    path = finished / "engines" / str(result.engine) / "engine.json"
    engine = upgrades.read(path, Engine)
    foreign = msgspec.structs.replace(engine.ingredients, **{field: value})
    upgrades.write(path, msgspec.structs.replace(engine, ingredients=foreign))
    run = upgrades.read(folder / "run.json", runs.Run)
    job = BenchJob(
        experiment=result.experiment,
        round=1,
        engine_dir=str(path.parent),
        ingredients=engine.ingredients,
        arrays="",
        reference=next(iter(run.on[0].references.values())),
        tolerance=1.0,
    )
    with pytest.raises(BuildError, match=rf"made of other ingredients \({field}: '{value}' against "):
        checked_engine(job)
    if field != "model_sha256":
        own = msgspec.structs.replace(job, ingredients=foreign)
        with pytest.raises(BuildError, match="build it again"):
            checked_engine(own)
    plan = msgspec.structs.replace(PLAN, rounds=1)
    assert measured(request(models_dir, finished, plan)).counts == {"ok": 2}
    assert upgrades.read(path, Engine).ingredients == engine.ingredients


def test_an_engine_file_that_is_missing_or_torn_fails_its_cell_in_words(finished: Path) -> None:
    """What happens to an engine while a run measures it; before one, the host builds it again."""
    folder = finished / "mine"
    result = results_of(folder)["onnxruntime", 1]
    engines = finished / "engines" / str(result.engine)
    run = upgrades.read(folder / "run.json", runs.Run)
    job = BenchJob(
        experiment=result.experiment,
        round=1,
        engine_dir=str(engines),
        ingredients=upgrades.read(engines / "engine.json", Engine).ingredients,
        arrays="",
        reference=next(iter(run.on[0].references.values())),
        tolerance=1.0,
    )
    whole = (engines / "optimized.onnx").read_bytes()
    (engines / "optimized.onnx").write_bytes(whole[:-1])
    with pytest.raises(BuildError, match=r"optimized\.onnx is not the file that was built .*; build it again"):
        checked_engine(job)
    (engines / "optimized.onnx").unlink()
    with pytest.raises(BuildError, match=rf"^engine {result.engine}: optimized\.onnx is missing; build it again$"):
        checked_engine(job)
    (engines / "engine.json").write_text('{"kind": "engine"')
    with pytest.raises(BuildError, match=rf"^engine {result.engine}: .*engine\.json is not JSON"):
        checked_engine(job)
    (engines / "engine.json").unlink()
    with pytest.raises(BuildError, match=rf"^engine {result.engine}: engine\.json is missing; build it again$"):
        checked_engine(job)
