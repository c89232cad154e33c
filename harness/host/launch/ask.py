"""Asks a worker for one record: launches, waits, and turns whatever happens into that record or a Failure."""

from typing import Dict, Optional, Tuple, Type, TypeVar, Union

from harness import upgrades
from harness.errors import STORAGE_STATUS, RecordError, RefusedArchive, StorageError
from harness.host.board import Board, Launcher
from harness.jobs import Failure
from harness.records import Record

R = TypeVar("R", bound=Record)


def ask(
    board: Board, verb: str, job: Record, kind: Type[R], limit_s: float, about: Optional[Dict[str, str]] = None
) -> Tuple[Union[R, Failure], str]:
    """The worker's answer and its log; a worker without one answers `crashed`. `about` is a cell, in labels."""
    with board.launch(about) as launcher:
        return ask_with(launcher, verb, job, kind, limit_s)


def ask_with(
    launcher: Launcher, verb: str, job: Record, kind: Type[R], limit_s: float
) -> Tuple[Union[R, Failure], str]:
    ended = launcher.run(verb, job, limit_s)
    if ended.code == STORAGE_STATUS:
        raise StorageError(f"the worker could not write: {ended.last_line()}; make room, then run the command again")
    try:
        data = launcher.get("out.json")
    except RefusedArchive as error:
        return Failure(status="crashed", reason=str(error)), ended.log
    # A runtime may fall over while it is torn down; an answer that was written whole before that still counts not:
    # nobody can say what else went wrong in that process.
    if ended.code != 0 or ended.timed_out or data is None:
        return Failure(status="crashed", reason=ended.reason()), ended.log
    try:
        return upgrades.decode_answer(data, kind, f"the answer of {verb}"), ended.log
    except RecordError as error:
        return Failure(status="crashed", reason=str(error)), ended.log
