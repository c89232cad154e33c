"""A runner's input or output, wherever the experiment says that it lies."""

from typing import Any, Optional, Sequence, Tuple

import numpy

from harness.device import _dlpack
from harness.device._contract import Buffer, Device, Stream

IO_MEMORY = ("pinned", "mapped", "managed")


class Tensor:
    """`host` is what the host reads and writes, `address` what the device does.

    pinned: two buffers, and `to_device` and `to_host` issue the copy between them. mapped, managed: one buffer for
    both, and they issue nothing; what the device wrote is there once the stream is synchronized.
    """

    def __init__(
        self, device: Device, io_memory: str, shape: Sequence[int], dtype: Any, stream: Optional[Stream] = None
    ) -> None:
        """`stream`: the only one whose kernels will use it; managed memory is attached to it."""
        if io_memory not in IO_MEMORY:
            raise ValueError(f"tensors of a device lie in {', '.join(IO_MEMORY)}, not {io_memory!r}")
        self.shape, self.dtype, self.io_memory = tuple(shape), numpy.dtype(dtype), io_memory
        self.nbytes = int(numpy.prod(self.shape, dtype=numpy.int64)) * self.dtype.itemsize
        self._device = device
        self._near: Buffer = device.buffer(io_memory, self.nbytes)
        self._far: Optional[Buffer] = device.buffer("device", self.nbytes) if io_memory == "pinned" else None
        if io_memory == "managed" and stream is not None:
            self._near.attach(stream)
            stream.synchronize()
        self.address = (self._far or self._near).address
        self.host: numpy.ndarray = self._near.view(self.shape, self.dtype)
        self._described = _dlpack.describe(self.address, self.shape, self.dtype, device.index)

    def to_device(self, stream: Stream) -> None:
        if self._far is not None:
            self._device.copy_to_device(self._far, self._near, stream)

    def to_host(self, stream: Stream) -> None:
        if self._far is not None:
            self._device.copy_to_host(self._near, self._far, stream)

    def __dlpack_device__(self) -> Tuple[int, int]:
        return _dlpack.CUDA, self._device.index

    def __dlpack__(self, **_: Any) -> Any:
        """The same memory as another runtime's tensor, no copy; it is to be dropped before `close`."""
        return _dlpack.capsule(self._described)

    def close(self) -> None:
        self._near.close()
        if self._far is not None:
            self._far.close()
