"""What builds are given beside a model, through real workers: calibration sets, and what earlier builds learned.

The workers run a copy of the harness with one more backend, whose engine files say what its build was given.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Dict, List

import msgspec
import pytest
from click.testing import CliRunner
from PIL import Image

import harness
from harness.host import groundwork, runs
from harness.host.board import LocalBoard
from harness.host.commands import clean_engines
from harness.host.launch import local
from harness.host.plan import Plan
from harness.host.progress import Progress
from harness.host.report import write
from harness.host.survey import survey
from harness.jobs import Failure
from harness.records import Engine
from tests.small_bench import PLAN, block, measured, request

BACKEND = '''
"""Computes nothing, and writes down what its builds are given."""
import json
import numpy
from harness.backends import null
from harness.backends._contract import Built
from harness.errors import BuildError, Unsupported

class Backend(null.Backend):
    precisions = frozenset({"fp32", "fp16", "int8"})
    builds_vary = True
    options = {"timing_cache": bool}

    def version(self):
        return "7"

    def build(self, materials, options, engine_dir):
        learned = b"" if materials.timing_cache is None else materials.timing_cache.read_bytes()
        images = None
        if options.precision == "int8":
            if materials.calibration is None:
                raise Unsupported("int8 needs images: CALIBRATION=folder")
            with numpy.load(str(materials.calibration)) as file:
                images = {name: list(file[name].shape) for name in file.files}
            scales = materials.calibration_cache
            (engine_dir / "calibration.cache").write_text(f"of build {options.build_number}")
        word = f"{options.precision} b{options.batch}\\n"
        (engine_dir / "timing.cache").write_bytes(learned + word.encode())
        if options.precision == "fp16":
            raise BuildError("no fp16 today")
        known = None if images is None or scales is None else scales.read_text()
        said = {"learned": learned.decode(), "images": images, "scales": known}
        (engine_dir / "engine.json.txt").write_text(json.dumps(said))
        return Built(executed={}, settings={"timing_cache": str(len(learned))})
'''


@pytest.fixture(autouse=True)
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(harness.__file__).resolve().parent
    copy = tmp_path / "copy" / "harness"
    shutil.copytree(str(package), str(copy))
    (copy / "backends" / "learner.py").write_text(BACKEND.lstrip())
    monkeypatch.setattr(local, "ROOT", tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")  # which `python -m` looks in first


def plan(**change: Any) -> Plan:
    more = {name: change.pop(name) for name in list(change) if name in Plan.__struct_fields__}
    return msgspec.structs.replace(block(PLAN, **{"backends": ["learner"], **change}), rounds=1, **more)


def built(models: Path, results: Path, asked: Plan) -> List[Engine]:
    """Those that could be built."""
    quiet = Progress(quiet=True)
    found = survey(asked, LocalBoard(results / ".work"), models, results, quiet)
    engines = groundwork.build_engines(found, found.experiments, results, quiet).values()
    return [one for one in engines if isinstance(one, Engine) and one.ingredients.build.backend == "learner"]


def given(results: Path, engine: Engine) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads((results / "engines" / engine.key / "engine.json.txt").read_text())
    return found


def images(at: Path, *colours: str) -> str:
    at.mkdir()
    for place, colour in enumerate(colours):
        Image.new("RGB", (8, 4), colour).save(str(at / f"{place}.png"))
    return str(at)


def cache(results: Path) -> Path:
    (found,) = (results / "engines").glob("timing-*.cache")
    return found


def test_what_a_build_learned_is_given_to_the_next_and_is_no_part_of_the_engine(
    models_dir: Path, tmp_path: Path
) -> None:
    first, second = built(models_dir, tmp_path, plan(batch=[1, 2]))
    assert [given(tmp_path, one)["learned"] for one in (first, second)] == ["", "fp32 b1\n"]
    assert [one.settings for one in (first, second)] == [{"timing_cache": "0"}, {"timing_cache": "8"}]
    for engine in (first, second):
        assert set(engine.files) == set(engine.files_sha256) == {"engine.json.txt"}
        left = {path.name for path in (tmp_path / "engines" / engine.key).iterdir()}
        assert left == {"engine.json.txt", "engine.json"}
    assert cache(tmp_path).read_text() == "fp32 b1\nfp32 b2\n"
    shared = msgspec.json.encode(["learner", "7", "any"])
    assert cache(tmp_path).name == f"timing-{hashlib.sha256(shared).hexdigest()[:16]}.cache"


def test_a_build_that_fails_leaves_what_was_learned_before(models_dir: Path, tmp_path: Path) -> None:
    built(models_dir, tmp_path, plan())
    assert built(models_dir, tmp_path, plan(precisions=["fp16"])) == []
    assert cache(tmp_path).read_text() == "fp32 b1\n"


def test_each_of_several_builds_is_made_freshly_and_teaches_no_other(models_dir: Path, tmp_path: Path) -> None:
    built(models_dir, tmp_path, plan())
    engines = built(models_dir, tmp_path, plan(builds=3))
    assert [given(tmp_path, one)["learned"] for one in engines] == ["", "", ""]
    assert len({one.key for one in engines}) == 3
    assert cache(tmp_path).read_text() == "fp32 b1\n"
    assert not list((tmp_path / "engines").glob("*/timing.cache"))


def test_several_builds_learn_from_each_other_where_the_plan_asks_for_it(models_dir: Path, tmp_path: Path) -> None:
    built(models_dir, tmp_path, plan())
    engines = built(models_dir, tmp_path, plan(builds=2, options={"learner": {"timing_cache": True}}))
    assert [given(tmp_path, one)["learned"] for one in engines] == ["fp32 b1\n", "fp32 b1\nfp32 b1\n"]
    assert cache(tmp_path).read_text() == "fp32 b1\n" * 3


def test_an_engine_that_was_cut_short_is_built_again_and_that_is_said(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (engine,) = built(models_dir, tmp_path, plan())
    path = tmp_path / "engines" / engine.key / "engine.json.txt"
    path.write_bytes(path.read_bytes()[:5])
    found = survey(plan(), LocalBoard(tmp_path / ".work"), models_dir, tmp_path, Progress(quiet=True))
    groundwork.build_engines(found, found.experiments, tmp_path, Progress())
    said = [line for line in capsys.readouterr().err.splitlines() if "it is built again" in line]
    assert len(said) == 1 and f"{engine.key} is there, but not as its record says" in said[0]
    assert given(tmp_path, engine)["learned"] == "fp32 b1\n", "by a second build"


def test_cleaning_engines_forgets_what_builders_learned(models_dir: Path, tmp_path: Path) -> None:
    built(models_dir, tmp_path, plan())
    ended = CliRunner().invoke(clean_engines.command, ["--yes", "--results", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert "2 engines" in ended.output, "the floor's is one too"
    assert list((tmp_path / "engines").iterdir()) == []


def test_int8_is_built_with_the_set_and_its_key_stands_in_the_engine(models_dir: Path, tmp_path: Path) -> None:
    asked = plan(precisions=["int8", "fp32"], calibration=images(tmp_path / "images", "red", "blue", "green"))
    engines = {one.ingredients.build.precision: one for one in built(models_dir, tmp_path, asked)}
    assert given(tmp_path, engines["int8"])["images"] == {"images": [3, 3, 64, 64]}
    (path,) = (tmp_path / "calibrations").iterdir()
    assert path.stem == engines["int8"].ingredients.calibration
    assert not engines["fp32"].ingredients.calibration
    other = plan(precisions=["int8"], calibration=images(tmp_path / "others", "red", "blue"))
    (again,) = built(models_dir, tmp_path, other)
    assert again.key != engines["int8"].key, "an engine of other images is another engine"


def test_several_builds_of_one_int8_engine_share_its_scales_and_nothing_else_does(
    models_dir: Path, tmp_path: Path
) -> None:
    asked = plan(precisions=["int8"], builds=3, calibration=images(tmp_path / "images", "red", "blue"))
    first, second, third = (given(tmp_path, one) for one in built(models_dir, tmp_path, asked))
    assert [one["scales"] for one in (first, second, third)] == [None, "of build 1", "of build 2"]
    assert not list((tmp_path / "engines").glob("*/calibration.cache"))
    for number, change in enumerate(
        [{"batch": [2]}, {"models": ["yolov5s@64"]}, {"calibration": images(tmp_path / "others", "blue", "red")}]
    ):
        other = plan(**{"precisions": ["int8"], "calibration": asked.calibration, **change})
        (engine,) = built(models_dir, tmp_path, other)
        assert given(tmp_path, engine)["scales"] is None, f"{number}: another batch, model or order of images"


def test_int8_without_images_is_skipped_by_its_backend(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path, plan(precisions=["int8", "fp32"])))
    assert outcome.counts == {"ok": 2, "skipped": 1}
    skipped = [one for one in runs.load_one(outcome.folder).results if one.status == "skipped"]
    assert [one.reason for one in skipped] == ["int8 needs images: CALIBRATION=folder"]


def test_a_broken_image_fails_int8_before_anything_is_built_and_the_run_goes_on(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = images(tmp_path / "images", "red", "blue")
    (tmp_path / "images" / "1.png").write_bytes(b"no image")
    asked = plan(precisions=["int8", "fp32"], calibration=folder)
    quiet = survey(asked, LocalBoard(tmp_path / ".work"), models_dir, tmp_path, Progress())
    assert "the image 1.png cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "engines").exists(), "it was said before anything was built"
    assert [type(one) for one in quiet.calibrations.values()] == [Failure]

    outcome = measured(request(models_dir, tmp_path, asked))
    assert outcome.counts == {"failed": 1, "ok": 2}
    (failed,) = [one for one in runs.load_one(outcome.folder).results if one.status == "failed"]
    assert failed.reason.startswith("calibration: the image 1.png cannot be read (")
    assert "the image 1.png cannot be read" in write(outcome.folder).path.read_text()

    Image.new("RGB", (8, 4), "blue").save(str(tmp_path / "images" / "1.png"))
    mended = measured(request(models_dir, tmp_path, asked))
    assert mended.folder != outcome.folder, "with the image mended, this is another engine and another run"
    assert mended.counts == {"ok": 3}


def test_images_that_nothing_needs_are_said_to_be_unused(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = plan(calibration=images(tmp_path / "images", "red"))
    survey(asked, LocalBoard(tmp_path / ".work"), models_dir, tmp_path, Progress())
    assert "CALIBRATION is not used: nothing in this plan is built as int8" in capsys.readouterr().err
    assert not (tmp_path / "calibrations").exists()


def test_a_backend_says_itself_that_its_builds_vary(models_dir: Path, tmp_path: Path) -> None:
    outcome = measured(request(models_dir, tmp_path, plan()))
    facts = runs.load_one(outcome.folder).machine.backends
    assert facts["learner"].builds_vary
    assert not facts["null"].builds_vary
