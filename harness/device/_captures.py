"""Stream capture and graphs, by the driver's C functions: pycuda has none, and cuda-python's change by version."""

import abc
import ctypes
from typing import Any

from harness.device._binding import Binding
from harness.device._driver import check, library

THREAD_LOCAL = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads of the process may allocate meanwhile."""


class Captures(Binding, abc.ABC):
    """The part of a binding that is the same for all."""

    def begin_capture(self, stream: Any) -> None:
        check(library().cuStreamBeginCapture_v2(self._pointer(stream), THREAD_LOCAL), "cuStreamBeginCapture")

    def end_capture(self, stream: Any) -> ctypes.c_void_p:
        driver, graph, ready = library(), ctypes.c_void_p(), ctypes.c_void_p()
        check(driver.cuStreamEndCapture(self._pointer(stream), ctypes.byref(graph)), "cuStreamEndCapture")
        try:
            if hasattr(driver, "cuGraphInstantiateWithFlags"):  # CUDA 11.4 and newer
                code = driver.cuGraphInstantiateWithFlags(ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
            else:
                code = driver.cuGraphInstantiate(ctypes.byref(ready), graph, None, None, ctypes.c_size_t(0))
            check(code, "cuGraphInstantiate")
        finally:
            driver.cuGraphDestroy(graph)
        return ready

    def drop_capture(self, stream: Any) -> None:
        graph = ctypes.c_void_p()
        library().cuStreamEndCapture(self._pointer(stream), ctypes.byref(graph))
        if graph.value:
            library().cuGraphDestroy(graph)

    def launch_graph(self, graph: ctypes.c_void_p, stream: Any) -> None:
        check(library().cuGraphLaunch(graph, self._pointer(stream)), "cuGraphLaunch")

    def free_graph(self, graph: ctypes.c_void_p) -> None:
        check(library().cuGraphExecDestroy(graph), "cuGraphExecDestroy")

    def _pointer(self, stream: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.stream_handle(stream))
