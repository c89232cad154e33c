"""Times what lies between two points of a stream, by the device's own clock."""

from harness.device._contract import Device, Stream


class Timer:
    """As `backends/_contract.Timer`: start, stop, and after the stream was synchronized elapsed_ns."""

    def __init__(self, device: Device, stream: Stream) -> None:
        self._stream, self._start, self._stop = stream, device.event(), device.event()

    def start(self) -> None:
        self._start.record(self._stream)

    def stop(self) -> None:
        self._stop.record(self._stream)

    def elapsed_ns(self) -> int:
        return self._stop.elapsed_ns(self._start)

    def close(self) -> None:
        self._start.close()
        self._stop.close()
