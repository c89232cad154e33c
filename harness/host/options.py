"""The flags that verbs share; each is also a variable (`--max-seconds`, MAX_SECONDS), and the flag wins."""

import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import click

from harness.host.block import IO_MEMORY, ISSUE_MODES, Threads
from harness.host.nearest import close
from harness.host.plan import Overrides, Until
from harness.host.report import language

ROOT = Path(__file__).resolve().parents[2]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Words(click.ParamType):
    """A comma-separated list."""

    name = "a,b,..."

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> List[Any]:
        if isinstance(value, list):
            return value
        return [self.one(word.strip(), param, ctx) for word in str(value).split(",") if word.strip()]

    def one(self, word: str, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        return word


class Counts(Words):
    name = "n,m,..."

    def one(self, word: str, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) < 1:
            self.fail(f"{word!r} is not a count from 1 to 999999999", param, ctx)
        return int(word)


class ThreadCounts(Counts):
    name = "n,all,..."

    def one(self, word: str, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Threads:
        return word if word == "all" else int(super().one(word, param, ctx))


class Switches(Words):
    name = "true,false"
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}

    def one(self, word: str, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> bool:
        if word.lower() not in self.words:
            self.fail(f"{word!r} is neither true nor false{close(word, self.words)}", param, ctx)
        return self.words[word.lower()]


class Shapes(click.ParamType):
    """`images:1x3x640x640,ids:1x128`."""

    name = "name:NxM,..."

    def convert(
        self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]
    ) -> Dict[str, List[int]]:
        if isinstance(value, dict):
            return value
        found = {}
        for word in str(value).split(","):
            name, _, sizes = word.strip().rpartition(":")
            if not name or not re.fullmatch(r"[1-9][0-9]*(x[1-9][0-9]*)*", sizes):
                self.fail(f"{word!r} is no shape; write images:1x3x640x640", param, ctx)
            found[name] = [int(size) for size in sizes.split("x")]
        return found


class HalfWidth(click.ParamType):
    """`1%`, or with how long it may take, `1%,90m`."""

    name = "P%[,T]"

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Until:
        if isinstance(value, Until):
            return value
        number = r"([0-9]+(?:\.[0-9]+)?)"
        found = re.fullmatch(rf"{number}%(?:,{number}([smh]))?", str(value).replace(" ", ""))
        if found is None:
            self.fail(f"{value!r} is no half-width; write 1%, or 1%,90m for at most 90 minutes (s, m or h)", param, ctx)
        percent, limit, unit = found.groups()
        width = round(float(percent) / 100, 9)
        if limit is None:
            return Until(half_width=width)
        return Until(half_width=width, limit_s=float(limit) * {"s": 1, "m": 60, "h": 3600}[unit])


def option(flag: str, *, help: str, **more: Any) -> Decorator:
    """A click option whose variable is its flag in capitals."""
    variable = flag.lstrip("-").replace("-", "_").upper()
    return click.option(flag, envvar=variable, show_envvar=True, help=help, **more)


WHERE: List[Decorator] = [
    option("--board", type=Words(), default="local", show_default=True, help="Boards of boards.toml; local is here."),
    option(
        "--jetpack", help="Measure in containers of this pin of docker/jetpacks.toml; none goes without.", metavar="PIN"
    ),
]
WHAT: List[Decorator] = [
    option("--plan", help="Plan by name or path.", metavar="NAME"),
    option("--model", type=Words(), help="Models instead of the plan's, like yolov5n@320."),
    option("--backends", type=Words(), help="Backends instead of the plan's."),
    option("--precisions", type=Words(), help="Precisions instead of the plan's."),
    option("--batch", type=Counts(), help="Batch sizes instead of the plan's."),
    option("--threads", type=ThreadCounts(), help="CPU threads instead of the plan's; all = what is allowed here."),
    option("--io-memory", type=Words(), help=f"Where inputs and outputs lie: {', '.join(IO_MEMORY)}."),
    option("--issue-modes", type=Words(), help=f"How inferences are issued: {', '.join(ISSUE_MODES)}."),
    option("--cuda-graph", type=Switches(), help="Launch an inference as one CUDA graph; true,false does both."),
    option("--variants", type=Words(), help="Variants of backends that have them: untuned, tuned (see make tune)."),
    option("--target", help="What TVM compiles for instead of this machine, like x86-64-v3.", metavar="NAME"),
    option("--builds", type=click.IntRange(1), help="Build each engine so often, to see how much builds differ."),
    option("--calibration", help="Folder of images that INT8 engines are calibrated with.", metavar="FOLDER"),
    option("--seed", type=int, help="Of the order of cells and of the inputs."),
    option(
        "--shapes", type=Shapes(), help="Sizes of a file's inputs, like images:1x3x640x640.", metavar="NAME:NxM,..."
    ),
    *WHERE,
]
HOW: List[Decorator] = [
    option("--rounds", type=click.IntRange(1), help="Rounds; fewer than 3 give no interval and no verdict."),
    option("--until", type=HalfWidth(), help="Add rounds until 95 % intervals reach no further; 2 h are the limit."),
    option("--warmup", type=click.IntRange(2), help="Untimed iterations first."),
    option("--iterations", type=click.IntRange(10), help="Timed iterations."),
    option("--max-seconds", type=click.FloatRange(0.001), help="Budget of one cell; never below 2 and 10 iterations."),
    option("--min-seconds", type=click.FloatRange(0.001), help="Least duration of a cell; energy needs 2 or more."),
    option("--sampling-s", type=click.FloatRange(0), help="Between two readings of the sensors; 0 leaves them alone."),
    option("--baseline", help="Backend that the others are compared with.", metavar="BACKEND"),
    option("--run", help="Name of the run: gone on with where it exists.", metavar="NAME"),
    option("--retry", type=click.Choice(["crashed"]), help="Measure crashed cells again."),
    option("--dry-run", is_flag=True, help="Print cells, order and estimated time; measure nothing."),
]
REPORT: List[Decorator] = [
    option(
        "--report-lang",
        type=click.Choice(language.known(), case_sensitive=False),
        default=language.ENGLISH,
        show_default=True,
        help="Language of the report; each but English has files of its own, report.ko.md and report.ko.html.",
    ),
]
FOLDERS: List[Decorator] = [
    click.option("--results", type=click.Path(path_type=Path), default=ROOT / "results", hidden=True),
    click.option("--models-dir", type=click.Path(path_type=Path), default=ROOT / "models", hidden=True),
]
TALK: List[Decorator] = [
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
    click.option("-v", "--verbose", is_flag=True, help="Also what was there already."),
]


def all_of(*groups: Sequence[Decorator]) -> Decorator:
    """Several groups of options as one decorator, in the order they are written."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed([one for group in groups for one in group]):
            function = decorator(function)
        return function

    return decorate


def overrides(
    model: Optional[List[str]] = None,
    backends: Optional[List[str]] = None,
    precisions: Optional[List[str]] = None,
    batch: Optional[List[int]] = None,
    threads: Optional[List[Threads]] = None,
    io_memory: Optional[List[str]] = None,
    issue_modes: Optional[List[str]] = None,
    cuda_graph: Optional[List[bool]] = None,
    variants: Optional[List[str]] = None,
    target: Optional[str] = None,
    builds: Optional[int] = None,
    calibration: Optional[str] = None,
    seed: Optional[int] = None,
    rounds: Optional[int] = None,
    warmup: Optional[int] = None,
    iterations: Optional[int] = None,
    max_seconds: Optional[float] = None,
    min_seconds: Optional[float] = None,
    sampling_s: Optional[float] = None,
    baseline: Optional[str] = None,
    shapes: Optional[Dict[str, List[int]]] = None,
    until: Optional[Until] = None,
    **_: object,
) -> Overrides:
    """What click collected, as the plan understands it; other options are not the plan's business."""
    return Overrides(
        models=model,
        backends=backends,
        precisions=precisions,
        batch=batch,
        threads=threads,
        io_memory=io_memory,
        issue_modes=issue_modes,
        cuda_graph=cuda_graph,
        variants=variants,
        target=target,
        builds=builds,
        calibration=calibration,
        seed=seed,
        rounds=rounds,
        warmup=warmup,
        iterations=iterations,
        max_seconds=max_seconds,
        min_seconds=min_seconds,
        sampling_s=sampling_s,
        baseline=baseline,
        shapes=shapes,
        until=until,
    )
