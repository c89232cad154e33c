"""Lines of a trial log as short as tests need them."""

from pathlib import Path
from typing import List

from harness import schedules
from harness.records.tuning import Choice, Default, End, Header, Job, Line, Task, Trial
from harness.trials import LOG, Log

HEADER = Header(
    model="tiny", model_sha256="ab" * 32, precision="fp32", batch=1, target="x86-64-v3", version="0.25.0 (ffi 0.1)"
)


def job(name: str = "a1", started: str = "2026-01-01T00:00:00+00:00", seed: int = 1, form: str = "plain") -> Job:
    return Job(
        job=name,
        started_utc=started,
        trials=9,
        max_seconds=60,
        seed=seed,
        strategy="evolutionary",
        cost_model="xgb",
        threads=2,
        machine="a processor",
        form=form,
    )


def task(name: str) -> Task:
    return Task(task=name, name=f"conv_{name}", weight=2, workload=f"workload of {name}")


def trial(name: str, trace: str, *times: float, job: str = "a1", seconds: float = 1.0) -> Trial:
    return Trial(job=job, task=name, trace=trace, args_info="[]", target="llvm", times_ns=list(times), seconds=seconds)


def choice(name: str, trace: str, default: float, tuned: float, kept: bool = True, job: str = "a1") -> Choice:
    return Choice(
        job=job,
        task=name,
        trace_sha256=schedules.trace_hash(trace),
        trials=3,
        default_ns=[default] * 3,
        tuned_ns=[tuned] * 3,
        kept=kept,
        why="" if kept else "not faster",
    )


def end(job: str = "a1", count: int = 3, seconds: float = 60.0) -> End:
    return End(job=job, trials=count, invalid=1, timed_out=0, crashed=0, seconds=seconds, measuring_seconds=30.0)


def log(folder: Path, *lines: Line, header: Header = HEADER) -> Path:
    with Log.open(folder, header) as opened:
        opened.append(*lines)
    return folder / LOG


LINES: List[Line] = [job(), task("t1"), Default(job="a1", task="t1", times_ns=[9.5, 9.0, 9.25]), trial("t1", "x", 5.0)]
