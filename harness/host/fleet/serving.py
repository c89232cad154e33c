"""One board's RPC server: started, started again when it ends, and ended with the job. A thread waits for it."""

import threading
from typing import Optional, Union

from harness.errors import HarnessError
from harness.fleet import Served, ServeJob
from harness.host.board import Board, Launcher
from harness.host.launch.ask import ask_with
from harness.host.progress import Progress
from harness.jobs import Failure

AGAIN_S = 5.0
"""Between the end of a server and the next one: a board that starts anew takes longer, and is asked until it has."""
FOLDER = "sessions"


class Serving(threading.Thread):
    """Of a board that is held by who starts this; `end` returns when nothing of it runs any more."""

    def __init__(
        self, board: Board, tracker_port: int, key: str, threads: int, limit_s: float, progress: Progress
    ) -> None:
        super().__init__(name=f"serving-{board.name}", daemon=True)
        self._board, self._port, self._key = board, tracker_port, key
        self._threads, self._limit_s, self._progress = threads, limit_s, progress
        self._over = threading.Event()
        self._launcher: Optional[Launcher] = None

    def run(self) -> None:
        said = ""
        while not self._over.is_set():
            try:
                answer = self._once()
            except HarnessError as error:
                answer = Failure(status="crashed", reason=str(error))
            if self._over.is_set():
                return
            reason = answer.reason if isinstance(answer, Failure) else "the tracker has gone"
            if reason != said:
                self._progress.line(f"board {self._board.name}: its server ended: {reason}")
                said = reason
            if isinstance(answer, Failure) and answer.status == "skipped":
                return
            self._over.wait(AGAIN_S)

    def end(self) -> None:
        self._over.set()
        launcher = self._launcher
        if launcher is not None:
            launcher.stop()
        self.join()

    def _once(self) -> "Union[Failure, Served]":
        with self._board.launch() as launcher, launcher.line(self._port) as port:
            job = ServeJob(
                tracker_port=self._port,
                key=self._key,
                threads=self._threads,
                folder=launcher.place(FOLDER),
                port=port,
            )
            self._launcher = launcher
            try:
                if self._over.is_set():
                    return Failure(status="crashed", reason="the job is over")
                answer, _ = ask_with(launcher, "serve", job, Served, self._limit_s)
            finally:
                self._launcher = None
            return answer
