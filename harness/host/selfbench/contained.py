"""What a container costs: time added to a cell, bytes copied for one, and whether inference in it takes longer."""

import contextlib
import random
import time
from typing import Dict, List, Tuple

import numpy

from harness.errors import LaunchError
from harness.host.board import LOCAL, Board, LocalBoard
from harness.host.boards import Entry, open_in_containers
from harness.host.containers.board import ContainerBoard
from harness.host.launch.ask import ask
from harness.host.selfbench.figure import Figure
from harness.host.selfbench.ground import Ground, Place, ground
from harness.host.stats.ratio import ratio
from harness.jobs import BenchJob, Failure
from harness.records import LatencySamples, Result

PIN = "cpu"
CELLS = 10
ROUNDS, ATTEMPTS = 24, 3
CELLS_A_ROUND = 12  # of each side: medians of processes that do the same differ by 10 % here, so one says too little
LOW, HIGH = 0.97, 1.03
MODEL = "yolov5n@96"


def contained(place: Place) -> List[Figure]:
    """Raises LaunchError where no Docker engine answers."""
    board = open_in_containers(LOCAL, Entry(), PIN, place.progress)
    with contextlib.closing(board), board.held(lambda *_: None):
        return [*_null_cells(place, board), _same_engine(place, board)]


def _null_cells(place: Place, board: ContainerBoard) -> List[Figure]:
    stand, local = ground(place, "null", "yolov5n@32"), LocalBoard(place.results / ".work")
    for one in (local, board):  # files are put on the board and into the cache
        _cell(one, stand)
    added = []
    for _ in range(CELLS):
        seconds = []
        for one in (board, local):
            start = time.monotonic()
            _cell(one, stand)
            seconds.append(time.monotonic() - start)
        added.append(seconds[0] - seconds[1])
    middle = float(numpy.median(added))
    sent = board.sent_bytes
    return [
        Figure(
            part="container",
            what=f"time a container adds to a cell of the null backend, median of {CELLS}",
            value=middle,
            unit="s",
            bar="<= 1.5",
            reached=middle <= 1.5,
            attempts=[{"seconds": round(one, 4)} for one in added],
        ),
        Figure(
            part="container",
            what="bytes copied into a container for a cell whose model and engine are on the board",
            value=sent / 1e6,
            unit="MB",
            bar="<= 1",
            reached=sent <= 1_000_000,
        ),
    ]


def _same_engine(place: Place, board: ContainerBoard) -> Figure:
    """The very same engine folder; the cells of both sides interleaved in random order, the round as the unit."""
    stand, local = ground(place, "onnxruntime", MODEL), LocalBoard(place.results / ".work")
    attempts: List[Dict[str, float]] = []
    while len(attempts) < ATTEMPTS:
        order = random.Random(len(attempts) + 1)
        inside: Dict[int, float] = {}
        outside: Dict[int, float] = {}
        for number in range(1, ROUNDS + 1):
            medians: Tuple[List[float], List[float]] = ([], [])
            cells: List[Tuple[Board, List[float]]] = [(board, medians[0]), (local, medians[1])] * CELLS_A_ROUND
            order.shuffle(cells)
            for one, side in cells:
                samples = _cell(one, stand).samples
                assert isinstance(samples, LatencySamples)
                side.append(float(numpy.median(samples.compute_ns)))
            inside[number], outside[number] = (_middle(side) for side in medians)
        found = ratio(inside, outside)
        assert found is not None and found.low is not None and found.high is not None
        attempts.append({"ratio": found.value, "low": found.low, "high": found.high, "rounds": float(found.rounds)})
        if found.low >= LOW and found.high <= HIGH:
            break
    last = attempts[-1]
    return Figure(
        part="container",
        what=f"the same ONNX Runtime engine in a container over on the host, {MODEL}, 1 thread, "
        f"{ROUNDS} rounds of {CELLS_A_ROUND} cells each",
        value=last["ratio"],
        unit="ratio",
        bar=f"95 % interval inside {LOW} to {HIGH}; it is {last['low']:.4f} to {last['high']:.4f}",
        reached=last["low"] >= LOW and last["high"] <= HIGH,
        attempts=attempts,
    )


def _middle(side: List[float]) -> float:
    """Geometric mean of the middle half: as deaf to a disturbed cell as the median, and less noisy."""
    quarter = len(side) // 4
    return float(numpy.exp(numpy.mean(numpy.log(sorted(side)[quarter : len(side) - quarter]))))


def _cell(board: Board, stand: Ground) -> Result:
    job = BenchJob(
        experiment=stand.experiment,
        round=1,
        engine_dir=board.engine(stand.engine_dir),
        ingredients=stand.ready.ingredients,
        arrays=board.arrays(stand.arrays),
        reference=stand.reference,
        tolerance=1.0,
    )
    answer, _ = ask(board, "bench", job, Result, 120)
    if isinstance(answer, Failure) or answer.status != "ok":
        raise LaunchError(f"selfbench: {stand.experiment.build.backend} on board {board.name}: {answer.reason}")
    return answer
