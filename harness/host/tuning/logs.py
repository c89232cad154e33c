"""Where tuning records lie, and which of them an engine is built with.

Those made here lie in `results/tuning/<model>-...-<6 hex>/`, one folder for each model, target and version of TVM;
those shipped with the repository in `models/tuning/`. Only this module knows that.
"""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Tuple, Union

import msgspec

from harness import schedules, trials
from harness.errors import RecordError
from harness.jobs import Failure
from harness.records import BackendFacts, BuildOptions, digest
from harness.records.tuning import Header, Trial, Tuning
from harness.trials import LOG, Contents

FOLDER, SHIPPED = "tuning", "tuning"
"""Below `results/` and below `models/`."""


class Found(NamedTuple):
    """The records that a tuned engine is built with."""

    path: Path
    contents: Contents
    origin: str
    """Where they came from, for a reader."""
    target: Optional[str]
    """What to compile for to use them; None is what the experiment says."""
    tuning: Tuning
    """What stands in the ingredients of an engine that is built with them."""

    @property
    def changes(self) -> bool:
        """Whether any part of the model gets another schedule by them."""
        return self.tuning.tasks > 0


def header(options: BuildOptions, model_sha256: str, facts: BackendFacts, target: Optional[str] = None) -> Header:
    """Of the log for these options; `target` None is the one they name, or the machine's own."""
    return Header(
        model=options.model,
        model_sha256=model_sha256,
        precision=options.precision,
        batch=options.batch,
        target=target or options.target or next(iter(facts.targets), facts.architecture),
        version=facts.version,
    )


def folder(results: Path, wanted: Header) -> Path:
    name = f"{wanted.model}-{wanted.precision}-b{wanted.batch}-{_plain(wanted.target)[:40]}-{digest(wanted, 6)}"
    return results / FOLDER / name


def shipped_name(of: Header) -> str:
    """What a file in `models/tuning/` is called; it is found by its header alone."""
    batch = "" if of.batch == 1 else f"-b{of.batch}"
    return f"{of.model}-{of.precision}{batch}-{_plain(of.target)}.jsonl"


def _plain(target: str) -> str:
    """As a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip("-")


def find(
    options: BuildOptions, model_sha256: str, facts: BackendFacts, results: Path, models_dir: Path
) -> Union[Found, Failure]:
    """Records whose header fits exactly: of this machine's own target before a more general one that runs here, made
    here before shipped, and any that change something before those that do not."""
    some: List[Found] = []
    try:
        for name, target in _targets(options, facts):
            for found in _of(header(options, model_sha256, facts, name), target, results, models_dir):
                if found.changes:
                    return found
                some.append(found)
    except RecordError as error:
        return Failure(status="failed", reason=str(error))
    tried = [one for one in some if one.contents.of(Trial)]
    if tried:
        return tried[0]
    wanted = header(options, model_sha256, facts)
    return Failure(status="skipped", reason=_missing(options, wanted, results, models_dir))


def chosen_file(found: Found, results: Path) -> Path:
    """A small log of what an engine needs of the records: what is put on a board."""
    if found.path.name != LOG:
        return found.path
    path = found.path.with_name(f"chosen-{found.tuning.records_sha256[:12]}.jsonl")
    if not path.exists():
        compact = schedules.compact(found.contents)
        trials.write_whole(path, compact.header, compact.lines)
    return path


def cure(options: BuildOptions) -> str:
    """The command that makes records for these options."""
    words = ["make", "tune", f"MODEL={options.model}", f"BACKENDS={options.backend}"]
    words += [f"PRECISIONS={options.precision}"] if options.precision != "fp32" else []
    words += [f"BATCH={options.batch}"] if options.batch != 1 else []
    words += [f"TARGET={options.target}"] if options.target is not None else []
    return " ".join(words)


def _targets(options: BuildOptions, facts: BackendFacts) -> List[Tuple[Optional[str], Optional[str]]]:
    """What records may be for, and what to compile for then."""
    if options.target is not None:
        return [(options.target, None)]
    own, *general = facts.targets or [facts.architecture]
    return [(own, None), *((name, name) for name in general)]


def _of(wanted: Header, target: Optional[str], results: Path, models_dir: Path) -> Iterator[Found]:
    own = folder(results, wanted) / LOG
    if own.exists():
        contents = trials.read(own)
        trials.check_same(contents.header, wanted, str(own))
        yield Found(own, contents, f"made here, {FOLDER}/{own.parent.name}", target, schedules.tuning(contents))
    for path in _shipped(models_dir):
        contents = trials.read(path)
        # One model has a name for every way to ask for it: its hash decides.
        if msgspec.structs.replace(contents.header, model=wanted.model) == wanted:
            origin = f"shipped with the harness, models/{SHIPPED}/{path.name}"
            yield Found(path, contents, origin, target, schedules.tuning(contents))


def _shipped(models_dir: Path) -> List[Path]:
    return sorted((models_dir / SHIPPED).glob("*.jsonl"))


def _missing(options: BuildOptions, wanted: Header, results: Path, models_dir: Path) -> str:
    """In one sentence; where there are records of something near, what differs."""
    what = f"no tuning records of {options.model}, {options.precision}, batch {options.batch}, for {wanted.target}"
    near = []
    for path in [*sorted((results / FOLDER).glob(f"*/{LOG}")), *_shipped(models_dir)]:
        try:
            there = trials.read_header(path)
        except RecordError:
            continue
        same = there.model == wanted.model or there.model_sha256 == wanted.model_sha256
        if same and (there.precision, there.batch) == (wanted.precision, wanted.batch):
            near.append(trials.difference(there, wanted))
    told = f" (there are some where {near[0]})" if near else ""
    return f"{what}{told}; {cure(options)} makes them"
