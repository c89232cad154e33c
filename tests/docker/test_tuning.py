"""Tuning in a container: trials stay on the board's volume and come home; the tuned engine is built and measured."""

import contextlib
import shutil
from pathlib import Path

import msgspec

from harness import trials
from harness.host import runs
from harness.host.block import Block
from harness.host.containers import labels
from harness.host.plan import Plan
from harness.host.request import Request
from harness.host.tuning.effort import Effort
from harness.host.tuning.story import Outcome, tune_all
from harness.jobs import Tuned
from harness.records.tuning import Trial
from harness.trials import LOG
from tests.docker.conftest import QUIET, Measure, board
from tests.docker.engines import Engine
from tests.test_tuned import little

__all__ = ["little"]  # the fixture


def tuned(engine: Engine, request: Request, count: int) -> Tuned:
    near = board(engine.address)
    with contextlib.closing(near):
        outcome: Outcome = tune_all(request, Effort(count, 3.0, "replay-trace", "random"), [near], QUIET)
    (one,) = outcome.ended
    assert isinstance(one.answer, Tuned), one.answer
    return one.answer


def test_trials_stay_on_the_board_and_come_home(
    engine: Engine, little: Path, models_dir: Path, tmp_path: Path, clean: None, measure: Measure
) -> None:
    block = Block(models=[str(little)], backends=["tvm"], threads=[1])
    plan = Plan(title="test", experiments=[block], rounds=1, warmup=2, iterations=10, max_seconds=2.0)
    results = tmp_path / "results"
    asked = Request(plan=plan, plan_name="test", command="make tune", models_dir=models_dir, results=results)
    assert tuned(engine, asked, 4).new_trials == 4
    (path,) = results.glob(f"tuning/*/{LOG}")
    first = trials.read(path).of(Trial)
    assert len(first) == 4
    with contextlib.closing(engine.client()) as client:
        assert client.volumes.get(labels.TUNING).attrs["Labels"][labels.PROJECT] == "1"
    shutil.rmtree(str(results / "tuning"))  # as another workstation, which has none of them
    assert tuned(engine, asked, 6).new_trials == 2
    assert trials.read(path).of(Trial)[:4] == first
    with_tuned = msgspec.structs.replace(plan, experiments=[msgspec.structs.replace(block, variants=["tuned"])])
    outcome = measure(with_tuned)
    (result,) = [one for one in runs.load_one(outcome.folder).results if one.experiment.build.variant == "tuned"]
    assert result.status == "ok", result.reason
    assert "6 trials in" in result.variant
