"""A run: the folder of one `make bench`, what was planned for it, and what has ended so far.

Only this module knows the layout `<results>/<run>/run.json`, `<board>/machine.json`,
`<board>/engines/<key>.json` and `<key>-tuning.json`, `<board>/<experiment>/crosscheck.json` and
`<board>/<experiment>/<round>/result.json`, beside which the readings of sensors lie.
"""

import contextlib
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Type, TypeVar, Union

from msgspec import UNSET, UnsetType

from harness import upgrades
from harness.errors import PlanError, RecordError
from harness.host import readings
from harness.host.plan import Plan
from harness.host.readings import Read
from harness.host.schedule import Cell
from harness.host.tuning.account import Account
from harness.records import SCHEMA, TUNED, Engine, Experiment, Machine, Record, Reference, Result

R = TypeVar("R", bound=Record)


class Model(Record, frozen=True):
    """What the report says of a model."""

    reference: str
    sha256: str
    description: str
    licence: str
    weights: str
    """`generated`, `trained` or `unknown`."""
    note: str = ""


class Budget(Record, frozen=True):
    """What a pilot decided, once: the rounds that follow it."""

    added_rounds: int
    needed_rounds: Optional[int]
    """As many would narrow every interval as asked; None where no sensible number would."""
    round_s: float
    """What a round of the pilot took."""


class OnBoard(Record, frozen=True):
    """What was planned for one board."""

    board: str
    experiments: List[Experiment]
    engines: Dict[str, str]
    """Experiment slug to engine key."""
    references: Dict[str, Reference]
    """`<model>-b<batch>` to its reference."""
    budget: Union[Budget, UnsetType] = UNSET
    """Where the plan says `until`, from the end of the pilot on."""


class Run(Record, frozen=True, tag_field="kind", tag="run"):
    """What was planned: everything that must be the same for a run to be gone on with."""

    name: str
    created_utc: str
    command: str
    """What the user typed, to do it again."""
    plan: Plan
    plan_name: str
    on: List[OnBoard]
    models: List[Model]
    schema: int = SCHEMA

    def board(self, name: str) -> OnBoard:
        return next(one for one in self.on if one.board == name)


class Ended(NamedTuple):
    """The cells of a run that have ended, by experiment slug and round."""

    results: Dict[Tuple[str, int], Result]
    broken: Dict[Tuple[str, int], str]
    """Files under a result's name that cannot be read, and why."""


class RunData(Record, frozen=True):
    """One board's part of a run in memory, for whoever reads it."""

    run: Run
    on: OnBoard
    machine: Machine
    results: List[Result]
    engines: Dict[str, Engine]
    """Key to engine; one that could not be built is absent."""
    tunings: Dict[str, Account] = {}
    """Key of a tuned engine to what stands behind it."""
    broken: List[str] = []
    """Files of it that cannot be read, each with the reason; whoever shows the run says so."""

    @property
    def rounds(self) -> int:
        return rounds(self.run, self.on)

    @property
    def pilot(self) -> int:
        return pilot(self.run, self.on)


def new_name(model: str, now: Optional[datetime] = None) -> str:
    """`<UTC>-<model>-<6 hex>`: sorts by time, and two runs of one second stay apart."""
    moment = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{model}-{secrets.token_hex(3)}"


def names(results: Path) -> List[str]:
    """Every run's name, newest first (by when it was created, since a run can be named by its user)."""
    found = []
    for path in results.glob("*/run.json"):
        with contextlib.suppress(RecordError):  # whoever names that run is told what is wrong with it
            found.append((upgrades.read(path, Run).created_utc, path.parent.name))
    return [name for _, name in sorted(found, reverse=True)]


def find(results: Path, name: Optional[str]) -> Path:
    """The folder of the run `name`, or of the newest."""
    if name is not None and (results / name / "run.json").exists():
        return results / name
    known = names(results)
    if not known:
        raise PlanError(f"{results}: there is no run yet; `make bench` makes one")
    if name is None:
        return results / known[0]
    raise PlanError(f"{results}: there is no run {name!r}; the newest are {', '.join(known[:3])}")


def result_path(folder: Path, experiment: Experiment, number: int) -> Path:
    return folder / experiment.system.board / experiment.slug() / str(number) / "result.json"


def engine_path(folder: Path, board: str, key: str) -> Path:
    """The run's own copy of an engine's record."""
    return folder / board / "engines" / f"{key}.json"


def tuning_path(folder: Path, board: str, key: str) -> Path:
    """What a run keeps of the tuning behind an engine."""
    return folder / board / "engines" / f"{key}-tuning.json"


def crosscheck_path(folder: Path, experiment: Experiment) -> Path:
    """What trtexec said of an experiment's engine; its own file lies beside it."""
    return folder / experiment.system.board / experiment.slug() / "crosscheck.json"


def keep_crashed(path: Path) -> None:
    """Moves an earlier result out of the way of the one that retries it; it stays beside it."""
    if path.exists():
        number = len(list(path.parent.glob("crashed-*.json"))) + 1
        path.rename(path.parent / f"crashed-{number}.json")


def take(results: Path, name: str, result: Result, read: Read) -> bool:
    """Keeps a result that was left on a board, where its run is here, planned that cell and has none for it yet.

    `read` gives what else its worker left.
    """
    folder = results / name
    if Path(name).name != name or name == ".." or not (folder / "run.json").exists():
        return False
    run = upgrades.read(folder / "run.json", Run)
    # The whole experiment is compared: a slug's few digits can be forged, and its board is a part of the path.
    planned = any((result.experiment, result.round) in cells(run, on) for on in run.on)
    path = result_path(folder, result.experiment, result.round)
    if not planned or path.exists():
        return False
    upgrades.write(path, readings.keep(result, read, path.parent))
    return True


def rounds(run: Run, on: OnBoard) -> int:
    """All that are planned by now: the plan's, and what its pilot added."""
    return run.plan.rounds + (0 if on.budget is UNSET else on.budget.added_rounds)


def pilot(run: Run, on: OnBoard) -> int:
    """The last round of those whose spread decided that more follow; 0 where the plan alone decided."""
    return run.plan.rounds if rounds(run, on) > run.plan.rounds else 0


def cells(run: Run, on: OnBoard) -> List[Cell]:
    return [(experiment, number) for number in range(1, rounds(run, on) + 1) for experiment in on.experiments]


def ended(folder: Path, run: Run, on: OnBoard) -> Ended:
    """Results so far; a file that cannot be read is left where it is and named."""
    found = Ended({}, {})
    for experiment, number in cells(run, on):
        path, cell = result_path(folder, experiment, number), (experiment.slug(), number)
        try:
            result = upgrades.read(path, Result)
        except FileNotFoundError:
            continue
        except RecordError as error:
            found.broken[cell] = str(error)
            continue
        if (result.experiment.slug(), result.round) == cell:
            found.results[cell] = result
        else:
            found.broken[cell] = f"{path} is the result of another cell: it was moved here"
    return found


def files(run: Run) -> List[str]:
    """All that `load` looks at, below the run's folder, whether it is there or not."""
    found = ["run.json"]
    for on in run.on:
        found.append(f"{on.board}/machine.json")
        found += [str(engine_path(Path(), on.board, key)) for key in sorted(set(on.engines.values()))]
        found += [str(tuning_path(Path(), on.board, key)) for key in tuned(on)]
        found += [str(result_path(Path(), experiment, number)) for experiment, number in cells(run, on)]
    return found


def tuned(on: OnBoard) -> List[str]:
    """Keys of the engines that were to be tuned."""
    of = {one.slug() for one in on.experiments if one.build.variant == TUNED}
    return sorted({key for slug, key in on.engines.items() if slug in of})


def load(folder: Path) -> List[RunData]:
    """All of the run in `folder`, board by board; nothing outside it is read, so that it can be reported elsewhere."""
    if not (folder / "run.json").exists():
        raise RecordError(f"{folder} holds no run.json: it is no run")
    run = upgrades.read(folder / "run.json", Run)
    return [_load(folder, run, on) for on in run.on]


def load_one(folder: Path) -> RunData:
    """The run of a single board."""
    found = load(folder)
    if len(found) != 1:
        raise PlanError(f"{folder}: this run is of {len(found)} boards; only runs of one board can be compared")
    return found[0]


def _load(folder: Path, run: Run, on: OnBoard) -> RunData:
    cells_ended = ended(folder, run, on)
    broken = list(cells_ended.broken.values())
    engines = _read({key: engine_path(folder, on.board, key) for key in set(on.engines.values())}, Engine, broken)
    tunings = _read({key: tuning_path(folder, on.board, key) for key in tuned(on)}, Account, broken)
    return RunData(
        run=run,
        on=on,
        machine=upgrades.read(folder / on.board / "machine.json", Machine),
        results=list(cells_ended.results.values()),
        engines=engines,
        tunings=tunings,
        broken=[text.replace(f"{folder}/", "") for text in broken],
    )


def _read(paths: Dict[str, Path], kind: Type[R], broken: List[str]) -> Dict[str, R]:
    """Those that are there; what cannot be read is named in `broken`."""
    found = {}
    for key, path in paths.items():
        try:
            found[key] = upgrades.read(path, kind)
        except FileNotFoundError:
            continue
        except RecordError as error:
            broken.append(str(error))
    return found
