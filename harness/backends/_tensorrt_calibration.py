"""The calibrator that builders up to TensorRT 10 ask for int8: batches in device memory, and a cache of the scales."""

from typing import Any, Dict, List, Optional

from harness.backends._contract import Feed
from harness.backends._tensorrt_samples import Samples
from harness.device import Device, Tensor

ALGORITHMS = {"minmax": "IInt8MinMaxCalibrator", "entropy": "IInt8EntropyCalibrator2"}


class Calibration:
    """`calibrator` goes into the builder's configuration; keep this object until the build is done.

    The binding prints what a calibrator raises and goes on as if its samples had ended: `check` raises it again.
    """

    def __init__(self, trt: Any, algorithm: str, samples: Samples, device: Device, cache: Optional[bytes]) -> None:
        self.written: Optional[bytes] = None
        self.batches = 0
        self._error: Optional[BaseException] = None
        self._device, self._stream = device, device.stream()
        self._feeds = samples.batches()
        self._tensors: Dict[str, Tensor] = {}
        self.calibrator = _calibrator(trt, ALGORITHMS[algorithm], self, samples.batch, cache)

    def next_batch(self, names: List[str]) -> Optional[List[int]]:
        """Addresses of one batch, an input an entry; None when there are no more."""
        try:
            feed = next(self._feeds, None)
            if feed is None:
                return None
            self.batches += 1
            return [self._put(name, feed) for name in names]
        except BaseException as error:
            self._error = error
            return None

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        for tensor in self._tensors.values():
            tensor.close()
        self._stream.close()

    def _put(self, name: str, feed: Feed) -> int:
        array = feed[name]
        tensor = self._tensors.get(name)
        if tensor is None:
            tensor = self._tensors[name] = Tensor(self._device, "pinned", array.shape, array.dtype)
        tensor.host[...] = array
        tensor.to_device(self._stream)
        self._stream.synchronize()
        return tensor.address


def _calibrator(trt: Any, kind: str, calibration: Calibration, batch: int, cache: Optional[bytes]) -> Any:
    """Its class is made here, since it inherits from one that exists in the imported module alone."""
    parent = getattr(trt, kind)

    class Calibrator(parent):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            parent.__init__(self)

        def get_batch_size(self) -> int:
            return batch

        def get_batch(self, names: List[str]) -> Optional[List[int]]:
            return calibration.next_batch(list(names))

        def read_calibration_cache(self) -> Optional[bytes]:
            return cache

        def write_calibration_cache(self, written: Any) -> None:
            calibration.written = bytes(written)

    return Calibrator()
