"""The same samples through other tools: pyperf's library, hyperfine's exports, and ours; to the last digits alike."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Sequence

import numpy
import pytest

from harness.host.stats.summary import summarize

CAPTURED = Path(__file__).parent / "peers" / "hyperfine-1.15.json"
"""`hyperfine -N --runs 30 --export-json FILE 'sleep 0.01'`, as it wrote it."""
TO_THE_LAST_DIGITS = 1e-12


def samples(count: int) -> Sequence[int]:
    """Nanoseconds, log-normal around 9 ms, an even or odd number of them."""
    return numpy.random.RandomState(count).lognormal(16, 0.3, count).astype(int).tolist()


@pytest.mark.parametrize("count", [3, 20, 501, 10_000])
def test_pyperf_says_the_same(count: int) -> None:
    pyperf = pytest.importorskip("pyperf", reason="pyperf is not installed: make ready-to-develop")
    times_ns = samples(count)
    run = pyperf.Run([one / 1e9 for one in times_ns], metadata={"name": "same"}, collect_metadata=False)
    theirs, ours = pyperf.Benchmark([run]), summarize(times_ns)
    for name, value_ns in (("mean", ours.mean_ns), ("stdev", ours.std_ns), ("median", ours.median_ns)):
        assert value_ns / 1e9 == pytest.approx(getattr(theirs, name)(), rel=TO_THE_LAST_DIGITS), name


def same_as_hyperfine(export: Path) -> None:
    """Its seconds through our arithmetic: mean, deviation and median of the times that it lists."""
    theirs = json.loads(export.read_text())["results"][0]
    ours = summarize(theirs["times"])
    found = (ours.mean_ns, ours.std_ns, ours.median_ns, ours.min_ns, ours.max_ns)
    wanted = tuple(theirs[name] for name in ("mean", "stddev", "median", "min", "max"))
    assert found == pytest.approx(wanted, rel=TO_THE_LAST_DIGITS)
    assert ours.std_ns > 0


def test_hyperfine_said_the_same() -> None:
    same_as_hyperfine(CAPTURED)


@pytest.mark.parametrize("runs", [10, 11])
@pytest.mark.skipif(shutil.which("hyperfine") is None, reason="hyperfine is not installed: apt install hyperfine")
def test_hyperfine_says_the_same_now(runs: int, tmp_path: Path) -> None:
    export = tmp_path / "export.json"
    words = ["hyperfine", "-N", "--runs", str(runs), "--export-json", str(export), "sleep 0.01"]
    subprocess.run(words, capture_output=True, check=True)
    same_as_hyperfine(export)
