"""Lets a board measure what a tuning job elsewhere sends it, through TVM's RPC server."""

from harness import backends
from harness.backends._tvm_tuning import fleet_server
from harness.fleet import Served, ServeJob


def serve(job: ServeJob) -> Served:
    """Raises Unsupported where there is no TVM."""
    backends.get("tvm").version()
    return Served(sessions_crashed=fleet_server.serve(job))
