"""Strict records: what is written is read back, what is not known is refused, older schemas are upgraded."""

import json
from pathlib import Path

import msgspec
import pytest

from harness import schedules, trials, upgrades
from harness.errors import RecordError
from harness.host.runs import Run
from harness.host.tuning.account import Account
from harness.jobs import Failure
from harness.records import (
    SCHEMA,
    BuildOptions,
    Engine,
    Experiment,
    InferenceOptions,
    Ingredients,
    LatencySamples,
    Machine,
    Reference,
    Result,
    digest,
)
from harness.records.proof import Proofs
from harness.records.tuning import LOG_SCHEMA

STORED = Path(__file__).parent / "records"
NEWER = {"tuning": Account, "proofs": Proofs}
"""Kinds that came with schema 3."""
KINDS = {"result": Result, "machine": Machine, "engine": Engine, "reference": Reference, "run": Run}
EXPERIMENT = Experiment(
    build=BuildOptions(model="yolov5n@320", backend="onnxruntime"), inference=InferenceOptions(threads=2)
)
SAMPLES = LatencySamples(start_ns=[0, 9], h2d_ns=[1, 1], enqueue_ns=[2, 2], compute_ns=[5, 6], d2h_ns=[1, 2])


def result(**more: object) -> Result:
    return Result(**{"experiment": EXPERIMENT, "round": 1, "status": "ok", "samples": SAMPLES, **more})


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    upgrades.write(tmp_path / "result.json", result())
    assert upgrades.read(tmp_path / "result.json", Result) == result()
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_an_iteration_is_exactly_its_steps() -> None:
    assert SAMPLES.total_ns() == [7, 9]


@pytest.mark.parametrize("path", sorted(STORED.glob("*.json")), ids=lambda path: path.stem)
def test_every_released_schema_still_reads(path: Path) -> None:
    """Each file was written by a real run; its name is its kind and its schema."""
    kind, schema = path.stem.split("-")[:2]
    assert json.loads(path.read_text())["schema"] == int(schema)
    record = upgrades.read(path, {**KINDS, **NEWER}[kind])
    assert record.schema == SCHEMA


def test_every_schema_has_its_files() -> None:
    there = {path.stem for path in STORED.glob("*.json")}
    assert there >= {f"{kind}-{schema}" for kind in KINDS for schema in range(1, SCHEMA + 1)}
    assert there >= {f"{kind}-{schema}" for kind in NEWER for schema in range(3, SCHEMA + 1)}


def test_trial_logs_of_every_released_schema_still_read() -> None:
    for schema in range(1, LOG_SCHEMA + 1):
        found = trials.read(STORED / f"trials-{schema}.jsonl")
        assert found.dropped == []
        assert [one.task.name for one in schedules.chosen(found)] == ["fused_conv2d_relu1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "newer harness"),
        ({"schema": None}, "no schema number"),
        ({"mean_ms": 3.0}, "unknown field"),
        ({"status": "fine"}, "none of ok, skipped"),
        ({"round": "1"}, "Expected `int`"),
        ({"kind": "engine"}, "Invalid value"),
        ({"samples": None}, "needs samples"),
        ({"status": "failed"}, "needs a reason"),
    ],
)
def test_what_is_wrong_is_refused_by_name(change: dict, message: str) -> None:
    raw = {**json.loads(msgspec.json.encode(result())), **change}
    raw["content_sha256"] = digest(raw, 64)
    with pytest.raises(RecordError, match=message) as caught:
        upgrades.decode(json.dumps(raw).encode(), Result, "somewhere/result.json")
    assert "somewhere/result.json" in str(caught.value)


def test_a_torn_file_is_refused_with_what_to_do() -> None:
    with pytest.raises(RecordError, match=r"torn.json is not JSON .*move it away"):
        upgrades.decode(msgspec.json.encode(result())[:100], Result, "torn.json")
    with pytest.raises(RecordError, match=r"torn.json is not JSON .*move it away"):
        upgrades.decode(b'{"kind": "\xf7', Result, "torn.json")


def test_a_file_edited_by_hand_is_told_from_a_torn_one_and_a_newer_one() -> None:
    data = upgrades.encode(result())
    with pytest.raises(RecordError, match="was changed after it was written"):
        upgrades.decode(data.replace(b"5,", b"4,", 1), Result, "result.json")
    with pytest.raises(RecordError, match="is not JSON"):
        upgrades.decode(data[:-20], Result, "result.json")
    with pytest.raises(RecordError, match="newer harness"):
        newer = data.replace(b'"schema": %d' % SCHEMA, b'"schema": %d' % (SCHEMA + 1))
        upgrades.decode(newer, Result, "result.json")
    with pytest.raises(RecordError, match="has no content hash"):
        upgrades.decode(data.replace(b"content_sha256", b"content"), Result, "result.json")


@pytest.mark.parametrize("change", [{"h2d_ns": [1]}, {"d2h_ns": [1, -1]}, {"device_ns": [1, 2, 3]}])
def test_samples_that_cannot_be_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"length|negative"):
        LatencySamples(**{**msgspec.structs.asdict(SAMPLES), **change})


def test_upgrades_run_in_order_and_stop_where_none_leads_on() -> None:
    steps = {1: lambda raw: {**raw, "a": 1}, 2: lambda raw: {**raw, "b": raw["a"] + 1}}
    assert upgrades.upgrade({"schema": 1}, steps, 3) == {"schema": 3, "a": 1, "b": 2}
    with pytest.raises(RecordError, match="no upgrade leads on"):
        upgrades.upgrade({"schema": 1}, {2: steps[2]}, 3)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    upgrades.write(target, result())
    before = target.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(upgrades.os, "fsync", broken)
    with pytest.raises(OSError, match="no space"):
        upgrades.write(target, result(round=2))
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_signal_just_after_a_write_is_the_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> None:
        replace(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        upgrades.write(tmp_path / "result.json", result())
    assert upgrades.read(tmp_path / "result.json", Result) == result()


def test_an_answer_is_the_record_or_a_failure() -> None:
    failure = Failure(status="failed", reason="no such operator")
    assert upgrades.decode_answer(upgrades.encode(failure), Result, "answer") == failure
    assert upgrades.decode_answer(upgrades.encode(result()), Result, "answer") == result()


def test_every_ingredient_moves_the_key_and_is_named() -> None:
    made_of = Ingredients(build=EXPERIMENT.build, model_sha256="a", version="1", architecture="x")
    for name, value in [
        ("build", msgspec.structs.replace(EXPERIMENT.build, batch=2)),
        ("model_sha256", "b"),
        ("version", "2"),
        ("architecture", "y"),
    ]:
        other = msgspec.structs.replace(made_of, **{name: value})
        assert other.key() != made_of.key()
        assert made_of.difference(other).startswith(name)
    assert made_of.difference(made_of) == ""


def test_slugs_are_stable_and_apart() -> None:
    other = msgspec.structs.replace(EXPERIMENT, inference=InferenceOptions(threads=2, iterations=50))
    assert EXPERIMENT.slug() == "yolov5n@320-onnxruntime-fp32-b1-t2-" + EXPERIMENT.slug()[-6:]
    assert other.slug() != EXPERIMENT.slug()
