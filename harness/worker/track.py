"""Runs TVM's RPC tracker for one tuning job."""

from pathlib import Path

from harness import backends, upgrades
from harness.backends._tvm_tuning import fleet_tracker
from harness.fleet import Tracker, TrackJob
from harness.jobs import Failure


def track(job: TrackJob) -> Failure:
    """Returns only where the tracker ended by itself; raises Unsupported where there is none."""
    backends.get("tvm").version()
    fleet_tracker.track(lambda port: upgrades.write(Path(job.found), Tracker(port=port)))
    return Failure(status="crashed", reason="TVM's tracker ended by itself")
