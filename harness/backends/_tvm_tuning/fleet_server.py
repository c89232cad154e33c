"""TVM's RPC server on a board, kept alive under what its candidates do to it. It runs whatever it is sent.

It listens on loopback alone. Each connection is served by a child process of its own, as TVM does it; a candidate can
crash or hang that one. TVM's server then stops listening, so that this module begins it anew.
"""

import ctypes
import json
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from harness.backends._tvm_tuning.fleet_tracker import LOOPBACK, stretch
from harness.fleet import ServeJob

LIMIT = "harness.tuning.limit"
"""Function of a session: ends its process after so many seconds from now; 0 takes that back."""
SERVER = "harness.tuning.server"
"""Function of a session: JSON of which server this is (`id`, new with each process), how many sessions before this one
`crashed`, and its `tvm`."""
PR_SET_PDEATHSIG = 1
PAUSE_S = 0.1


def serve(job: ServeJob) -> int:
    """Stays until the tracker has gone; how many sessions were ended by their candidates until then."""
    Path(job.folder).mkdir(exist_ok=True)
    tempfile.tempdir = job.folder
    os.environ["TVM_NUM_THREADS"] = str(job.threads)  # read by a session's process, when it first computes
    import tvm
    from tvm.rpc import server

    identity, sessions, crashed = secrets.token_hex(8), 0, 0

    def one_more() -> None:
        nonlocal sessions
        sessions += 1

    _register(tvm, SERVER, lambda: json.dumps({"id": identity, "crashed": crashed, "tvm": tvm.__version__}))
    _register(tvm, LIMIT, _limit)
    os.register_at_fork(after_in_parent=one_more, after_in_child=_end_with_the_server)
    threading.excepthook = _in_one_line
    ports = stretch() if job.port is None else range(job.port, job.port + 1)
    while True:
        os.chdir(job.folder)  # TVM leaves a server whose session crashed in a folder that is removed
        before = sessions
        state = server.PopenRPCServerState(
            host=LOOPBACK,
            port=ports.start,
            port_end=ports.stop,
            tracker_addr=(LOOPBACK, job.tracker_port),
            key=job.key,
            custom_addr=LOOPBACK,
            silent=True,
        )
        state.thread.join()
        state.sock.close()
        if sessions == before:  # so it ended for want of its tracker, for which it has waited a minute
            return crashed
        crashed += 1
        time.sleep(PAUSE_S)


def _register(tvm: Any, name: str, function: Any) -> None:
    register = getattr(tvm, "register_global_func", None) or tvm.register_func  # the latter until 0.21
    register(name, function, override=True)


def _limit(seconds: float) -> None:
    """The signal's default action ends the process, be it in a kernel that never returns to Python."""
    signal.setitimer(signal.ITIMER_REAL, float(seconds))


def _end_with_the_server() -> None:
    """In a session's process: a server that is killed leaves nobody measuring, with whom its board would be shared."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _in_one_line(told: Any) -> None:
    """TVM's listening thread ends so when a session's process did not end well."""
    print(f"rpc server: {told.exc_type.__name__}: {told.exc_value}", file=sys.stderr, flush=True)
