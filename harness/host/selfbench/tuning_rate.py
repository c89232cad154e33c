"""Trials a minute: this search against TVM's own tuner, on the same tasks, cost model, strategy and seed, with batches
at least as large."""

import tempfile
from pathlib import Path
from typing import Dict, List

from harness import trials
from harness.errors import LaunchError
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Place
from harness.host.selfbench.tuning_ground import Stand, stand
from harness.jobs import Stock, Tuned
from harness.records.tuning import Trial

MODEL, THREADS, SEED, BAR = "yolov5n@320", 2, 1, 5.0
STOCK_TRIALS, OURS_S = 32, 240.0
COST_MODEL, STRATEGY = "random", "evolutionary"


def rate(place: Place) -> List[Figure]:
    """TVM's tuner gets 32 trials, ours 4 minutes from nothing; what is not searching counts against ours alone."""
    attempt = rates(stand(place, MODEL, THREADS), THREADS, OURS_S)
    return [figure(attempt, f"{MODEL}, {THREADS} threads, {COST_MODEL} cost model", BAR)]


def rates(ground: Stand, threads: int, ours_s: float) -> Dict[str, float]:
    """Ours from the job's begin, extraction and default schedules included, to its last trial; TVM's own while
    `tune_tasks` runs, without what it imports before."""
    same = {"threads": threads, "seed": SEED, "strategy": STRATEGY, "cost_model": COST_MODEL}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "ours"
        ours = ground.ask("tune", ground.job(log, trials=100_000, max_seconds=ours_s, **same), Tuned)
        last_s = max((one.seconds for one in trials.read(log / trials.LOG).of(Trial)), default=0.0)
        asked = ground.job(Path(folder) / "stock", trials=STOCK_TRIALS, max_seconds=1800.0, **same)
        stock = ground.ask("stock", asked, Stock)
    if not stock.trials:
        raise LaunchError(
            f"selfbench: TVM's own tuner measured nothing in {stock.seconds:.0f} s; there is nothing to compare with"
        )
    return {
        "ours_trials": float(ours.new_trials),
        "ours_seconds": last_s,
        "ours_measuring_share": round(ours.measuring_share, 3),
        "ours_a_minute": 60 * ours.new_trials / last_s if last_s else 0.0,
        "stock_trials": float(stock.trials),
        "stock_seconds": round(stock.seconds, 1),
        "stock_a_minute": 60 * stock.trials / stock.seconds,
    }


def figure(attempt: Dict[str, float], what: str, bar: float) -> Figure:
    ratio = attempt["ours_a_minute"] / attempt["stock_a_minute"]
    return Figure(
        part="tuning-rate",
        what=f"trials a minute, ours / TVM's own tuner with its LocalBuilder, {what}",
        value=ratio,
        unit="times",
        bar=f">= {bar:g}",
        reached=ratio >= bar,
        attempts=[attempt],
    )
