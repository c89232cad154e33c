"""The process that measures on one board: `python -m harness.backends._tvm_tuning.fleet_place`: TVM's RPC client.

A process of its own, since a call over RPC can be ended by nothing else, and since TVM ends a process whose board
dies at the wrong moment. One session serves many candidates; one that is broken is opened again, whenever the board is.
"""

import json
import os
import socket
import sys
import time
from typing import Any, Dict, Iterator, Optional

from harness.backends._tvm_tuning import candidate
from harness.backends._tvm_tuning.fleet_server import LIMIT, SERVER
from harness.backends._tvm_tuning.fleet_tracker import LOOPBACK
from harness.backends._tvm_tuning.meter import Settings
from harness.backends._tvm_tuning.wire import Line

KNOCK_S, ASK_AGAIN_S = 5.0, 0.2
MOST_IN_A_SESSION = 200
"""Candidates: the libraries that a session has loaded stay in its process's memory."""


class Unfit(Exception):
    """A board that answers and cannot serve this job."""


class Gone(Exception):
    """The tracker does not answer."""


class Session(candidate.Loaded):
    """Candidates on a board: the calls are those of a device of this machine, what they work on is there."""

    def __init__(self, session: Any, kind: str) -> None:
        import tvm

        self._tvm, self._session = tvm, session
        self._limit = session.get_function(LIMIT)
        told: Dict[str, Any] = json.loads(session.get_function(SERVER)())
        if told["tvm"] != tvm.__version__:
            raise Unfit(f"it runs TVM {told['tvm']}, and candidates are compiled with {tvm.__version__} here")
        self.server = {"id": told["id"], "crashed": told["crashed"]}
        self.device = session.device(kind, 0)
        if not self.device.exist:
            raise Unfit(f"TVM reaches no {kind} device there")
        self._fill = session.get_function("tvm.contrib.random.random_fill_for_measure")
        self._key, self._arguments, self._count = "", (), 0

    def module(self, library: str) -> Any:
        self._count += 1
        name = f"{self._count}.so"  # a new one each: a library is loaded once by its name
        self._session.upload(library, name)
        loaded = self._session.load_module(name)
        self._session.remove(name)
        return loaded

    def timed(self, message: Any) -> Any:
        """What to say of a candidate; the session is broken where that has `broke` in it."""
        settings = Settings(*message["settings"])
        try:
            self._limit(settings.limit_s)
            times = self.times_s(message["library"], message["args_info"], settings)
            self._limit(0.0)
        except Exception as error:
            reason = candidate.first_line(error)
            if not self._answers():
                return {"broke": reason, "board": "silent"}
            return {"reason": reason} if self.sound() else {"broke": reason, "board": "there"}
        return {"times": times}

    def _answers(self) -> bool:
        try:
            self._limit(0.0)
        except Exception:
            return False
        return True

    def close(self) -> None:
        self._arguments = ()
        try:
            self._session.get_function("CloseRPCConnection")()
        except Exception:  # it is broken already
            return


def main() -> None:
    line = Line()
    messages = line.messages()
    hello = next(messages)
    import tvm.rpc  # noqa: F401 (all later calls are quick then)

    line.say({"ready": {}})
    try:
        while True:
            session = _opened(hello, line)
            line.say({"up": session.server})
            if not _serve(session, messages, line):
                return
            session.close()
    except Unfit as error:
        line.say({"unfit": str(error)})
    except Gone as error:
        line.say({"unfit": f"the tracker of this job does not answer: {error}"})
    # Closing what is left of a session whose board is dead can end a process by TVM's own assertions.
    sys.stderr.flush()
    os._exit(0)


def _serve(session: Session, messages: Iterator[Any], line: Line) -> bool:
    """Until the session is broken or used up; False where there is nothing more to do."""
    for number, message in enumerate(messages, 1):
        told = session.timed(message)
        line.say({"number": message["number"], **told})
        if "broke" in told or number == MOST_IN_A_SESSION:
            return True
    return False


def _opened(hello: Any, line: Line) -> Session:
    """Waits until the tracker has the board. Only this process asks for its key, so that what is free stays free."""
    from tvm import rpc

    port, key = hello["port"], hello["key"]
    said: Optional[str] = None
    tracker = None
    while True:
        try:
            if tracker is None:
                # TVM's own tries for a minute, and in vain where nobody listens.
                socket.create_connection((LOOPBACK, port), KNOCK_S).close()
                tracker = rpc.connect_tracker(LOOPBACK, port)
            there = tracker.summary()
        except (OSError, RuntimeError, ValueError) as error:
            raise Gone(candidate.first_line(error)) from None
        if there["queue_info"].get(key, {}).get("free", 0) > 0:
            try:
                return Session(tracker.request(key, max_retry=1), hello["kind"])
            except Unfit:
                raise
            except Exception as error:  # it died between the two questions
                absent = f"its server refused: {candidate.first_line(error)}"
        else:
            absent = "no server has this job's key"
        if absent != said:
            line.say({"absent": absent})
            said = absent
        time.sleep(ASK_AGAIN_S)


if __name__ == "__main__":
    main()
