"""Floor: what the host asks of workers for a tuning job over several boards; the other jobs are in `jobs.py`."""

from typing import Dict, Optional

from harness.records import SCHEMA, Record


class Fleet(Record, frozen=True):
    """Boards that measure for a tuning job on this machine, each through an RPC server of TVM's."""

    port: int
    """Of TVM's tracker on this machine's loopback."""
    keys: Dict[str, str]
    """A board's name to what its server is called in the tracker: made for one job, and for nobody else to know, since
    a server runs what it is sent."""


class TrackJob(Record, frozen=True, tag_field="kind", tag="track-job"):
    """Run TVM's RPC tracker on loopback until it is ended. Out: nothing but a Failure."""

    found: str
    """Path to write a Tracker to, once it listens."""
    schema: int = SCHEMA


class Tracker(Record, frozen=True, tag_field="kind", tag="tracker"):
    port: int
    schema: int = SCHEMA


class ServeJob(Record, frozen=True, tag_field="kind", tag="serve-job"):
    """Run TVM's RPC server on loopback until it is ended or its tracker has gone. Out: Served, or a Failure."""

    tracker_port: int
    """On the loopback of where it runs."""
    key: str
    threads: int
    folder: str
    """Made for what candidates leave behind."""
    port: Optional[int] = None
    """The one to listen on; None takes one that is free."""
    schema: int = SCHEMA


class Served(Record, frozen=True, tag_field="kind", tag="served"):
    """Of a server whose tracker has gone."""

    sessions_crashed: int
    """How often a candidate ended its session, and the server went on."""
    schema: int = SCHEMA
