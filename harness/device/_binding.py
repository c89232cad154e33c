"""What a way to reach CUDA must be able to do; `pycuda` and `cuda-python` are two, the tests' plain memory is a third.

Methods take and return the binding's own objects, which nobody else looks into. Whatever CUDA answers with an error
comes out as DeviceError. Checks of what callers ask for are made above, in `_contract.py`, once for all bindings.
"""

import abc
from typing import Any, NamedTuple, Optional, Tuple

import numpy


class Allocation(NamedTuple):
    """Memory, as a binding gives it out."""

    address: int
    """As the device sees it."""
    nbytes: int
    host: Optional[numpy.ndarray]
    """The same bytes as the host sees them, one-dimensional uint8; None where it cannot."""
    owner: Any
    """By which the binding frees it, and copies."""


class Binding(abc.ABC):
    """One device, opened: its primary context, which the CUDA runtime API (TensorRT, TVM) uses too, is current."""

    name: str
    compute_capability: Tuple[int, int]
    integrated: bool
    total_bytes: int

    @abc.abstractmethod
    def free_bytes(self) -> int: ...

    @abc.abstractmethod
    def allocate(self, kind: str, nbytes: int) -> Allocation: ...

    @abc.abstractmethod
    def free(self, kind: str, allocation: Allocation) -> None: ...

    @abc.abstractmethod
    def attach(self, allocation: Allocation, stream: Any) -> None:
        """Managed memory is from now on this stream's: the host may touch it while other streams work."""

    @abc.abstractmethod
    def copy_to_device(self, address: int, source: Allocation, stream: Any) -> None:
        """Issues a copy of the whole of `source`."""

    @abc.abstractmethod
    def copy_to_host(self, target: Allocation, address: int, stream: Any) -> None:
        """Issues a copy into the whole of `target`."""

    @abc.abstractmethod
    def make_stream(self) -> Any: ...

    @abc.abstractmethod
    def stream_handle(self, stream: Any) -> int: ...

    @abc.abstractmethod
    def synchronize_stream(self, stream: Any) -> None: ...

    @abc.abstractmethod
    def free_stream(self, stream: Any) -> None: ...

    @abc.abstractmethod
    def make_event(self) -> Any: ...

    @abc.abstractmethod
    def record_event(self, event: Any, stream: Any) -> None: ...

    @abc.abstractmethod
    def wait_event(self, stream: Any, event: Any) -> None:
        """What is issued on the stream from now on starts after the event."""

    @abc.abstractmethod
    def synchronize_event(self, event: Any) -> None: ...

    @abc.abstractmethod
    def elapsed_ms(self, since: Any, event: Any) -> float: ...

    @abc.abstractmethod
    def free_event(self, event: Any) -> None: ...

    @abc.abstractmethod
    def begin_capture(self, stream: Any) -> None: ...

    @abc.abstractmethod
    def end_capture(self, stream: Any) -> Any:
        """What was issued since, ready to launch."""

    @abc.abstractmethod
    def drop_capture(self, stream: Any) -> None:
        """Ends a capture whose work is not wanted; raises nothing."""

    @abc.abstractmethod
    def launch_graph(self, graph: Any, stream: Any) -> None: ...

    @abc.abstractmethod
    def free_graph(self, graph: Any) -> None: ...

    @abc.abstractmethod
    def close(self) -> None: ...
