"""`tune`: searches schedules for what a plan builds, and keeps every trial."""

from typing import Any, List

import click

from harness.host import options
from harness.host.boards import opened
from harness.host.printable import printable
from harness.host.progress import Progress, duration
from harness.host.request import requested
from harness.host.tuning import effort
from harness.host.tuning.story import Ended, tune_all
from harness.jobs import AUTO, Failure, Tuned

STRATEGY_HELP = "How schedules are searched for: guided (GPUs), evolutionary, replay-trace; auto takes what fits."
EFFORT: List[options.Decorator] = [
    options.option(
        "--trials",
        type=int,
        default=2000,
        show_default=True,
        help="Trials of each model, in all, on one machine with one number of threads.",
    ),
    options.option("--minutes", type=float, default=60, show_default=True, help="At most, for each model."),
    options.option("--strategy", default=AUTO, show_default=True, help=STRATEGY_HELP),
    options.option("--cost-model", default="xgb", show_default=True, help="What guesses times: xgb or random."),
]


@click.command("tune")
@options.all_of(EFFORT, options.WHAT, options.TALK, options.FOLDERS)
def command(**given: Any) -> int:
    """Tunes each model of a plan for a board: tries schedules, times them there, keeps the best of every part.

    Every trial that has a time is kept; Ctrl-C ends early, and the same command goes on. With several boards they
    measure, and this machine compiles.

    \b
    python -m harness tune --model yolov5n@320 --trials 2000 --minutes 60
    python -m harness bench --model yolov5n@320 --variants untuned,tuned
    """
    wanted = effort.checked(given["trials"], given["minutes"], given["strategy"], given["cost_model"])
    request, progress = requested(given, "default"), Progress(given["quiet"], given["verbose"])
    with opened(request.boards, request.jetpack, request.results, progress) as boards:
        outcome = tune_all(request, wanted, boards, progress)
    for one in outcome.ended:
        for line in said(one, given["verbose"]):
            click.echo(printable(line))
    if outcome.stopped:
        click.echo("interrupted: every trial that had ended is kept; the same command goes on from there", err=True)
        return 130
    if any(isinstance(one.answer, Tuned) for one in outcome.ended):
        click.echo("next: make bench VARIANTS=untuned,tuned")
    return max((_code(one) for one in outcome.ended), default=0)


def said(one: Ended, verbose: bool) -> List[str]:
    """A job in a few lines; with `verbose` also what each task got."""
    answer, kept = one.answer, f"; every trial that had ended is kept in {one.folder}" if one.folder else ""
    if answer is None:
        return [f"{one.name}: as many trials were made here already; a larger TRIALS adds more"]
    if isinstance(answer, Failure):
        return [f"{one.name}: {answer.status}: {answer.reason}{kept if answer.status == 'crashed' else ''}"]
    rate = answer.new_trials / answer.seconds * 60 if answer.seconds else 0
    without = f"{answer.invalid} invalid, {answer.timed_out} timed out, {answer.crashed} crashed"
    lines = [
        f"{one.name}: {answer.new_trials} new trials in {duration(answer.seconds)} ({rate:.0f} a minute), "
        f"{answer.all_trials} in all; {without}; measuring took {answer.measuring_share:.0%} of the time",
        f"  {sum(task.kept for task in answer.tasks)} of {len(answer.tasks)} tasks keep a tuned schedule"
        f"{_estimate(answer)}; ended by: {answer.ended}; records: {one.folder}",
        *(f"  {text}" for text in answer.said),
    ]
    if verbose:
        lines += [
            f"  {task.name}: {_milliseconds(task.default_ns)} -> {_milliseconds(task.best_ns)} ms, "
            f"{task.trials} trials, {'kept' if task.kept else task.why}"
            for task in answer.tasks
        ]
    return lines


def _estimate(answer: Tuned) -> str:
    if not answer.curve:
        return ""
    first, last = answer.curve[0].estimated_ns, answer.curve[-1].estimated_ns
    return f", the whole is estimated at {last / 1e6:.4g} ms (began at {first / 1e6:.4g})"


def _milliseconds(value: Any) -> str:
    return "none" if value is None else f"{value / 1e6:.4g}"


def _code(one: Ended) -> int:
    return 1 if isinstance(one.answer, Failure) and one.answer.status != "skipped" else 0
