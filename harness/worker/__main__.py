"""`python -m harness.worker VERB FOLDER`: reads FOLDER/job.json, does the verb, writes FOLDER/out.json.

What a user can act on comes out as a Failure. Any other exception leaves a traceback and no out.json: the host then
calls the cell crashed.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Dict, Type

from harness import crosscheck, fleet, jobs, upgrades
from harness.errors import STORAGE, STORAGE_STATUS, AccuracyError, BuildError, DeviceError, StorageError, Unsupported
from harness.records import Record
from harness.worker.reasons import reason

VERBS: Dict[str, Type[Record]] = {
    "probe": jobs.ProbeJob,
    "reference": jobs.ReferenceJob,
    "build": jobs.BuildJob,
    "bench": jobs.BenchJob,
    "pairs": jobs.PairsJob,
    "beside": jobs.BesideJob,
    "inspect": jobs.InspectJob,
    "crosscheck": crosscheck.CrosscheckJob,
    "tune": jobs.TuneJob,
    "versus": jobs.VersusJob,
    "track": fleet.TrackJob,
    "serve": fleet.ServeJob,
}
PR_SET_PDEATHSIG = 1


def main(verb: str, folder: Path) -> None:
    job = upgrades.read(folder / "job.json", VERBS[verb])
    work = importlib.import_module(f"harness.worker.{verb}")
    try:
        try:
            out = getattr(work, verb)(job)
        except Unsupported as error:
            out = jobs.Failure(status="skipped", reason=reason(error, job))
        except (BuildError, AccuracyError) as error:
            out = jobs.Failure(status="failed", reason=reason(error, job))
        except DeviceError as error:
            out = jobs.Failure(status=error.status, reason=reason(error, job))
        upgrades.write(folder / "out.json", out)
    except StorageError as error:
        print(error, file=sys.stderr)
        sys.exit(STORAGE_STATUS)
    except OSError as error:
        if error.errno in STORAGE:
            print(f"{error.filename or folder}: {error.strerror}", file=sys.stderr)
            sys.exit(STORAGE_STATUS)
        raise


def die_with_parent() -> None:
    """A host that is killed must not leave a worker measuring; prctl(2), Linux only, silently nothing elsewhere."""
    parent = os.environ.get("HARNESS_HOST_PID")
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before we asked
        os._exit(1)


def be_the_first_victim() -> None:
    """Where memory runs out, the kernel ends this process before the desktop or the host that reports it: proc(5)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def end_at_the_limit() -> None:
    """In a container, nobody may be there to end a worker whose host has lost the board; the default action kills."""
    limit = os.environ.get("HARNESS_LIMIT_S")
    if limit is not None:
        signal.setitimer(signal.ITIMER_REAL, float(limit))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in VERBS:
        sys.exit(f"usage: python -m harness.worker {{{','.join(VERBS)}}} FOLDER")
    die_with_parent()
    be_the_first_victim()
    end_at_the_limit()
    main(sys.argv[1], Path(sys.argv[2]))
