"""In which order cells are measured: every round visits each experiment once, shuffled with the recorded seed."""

import random
from typing import List, Sequence, Tuple

from harness.records import Experiment

Cell = Tuple[Experiment, int]
"""An experiment and its round, counted from 1."""


def order(experiments: Sequence[Experiment], rounds: int, seed: int) -> List[Cell]:
    """The same list for the same seed on every Python; each round has a shuffle of its own."""
    cells: List[Cell] = []
    for number in range(1, rounds + 1):
        shuffled = list(experiments)
        random.Random(f"{seed}/{number}").shuffle(shuffled)
        cells += [(experiment, number) for experiment in shuffled]
    return cells
