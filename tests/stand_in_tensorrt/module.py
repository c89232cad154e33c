"""The stand-in's module: what `import tensorrt` would give, in one version."""

from typing import Any, Callable, Dict, List, Optional

from tests.stand_in_tensorrt import build, run
from tests.stand_in_tensorrt.names import TABLE, VERSIONS, Members, Names
from tests.stand_in_tensorrt.work import Work

__all__ = ["VERSIONS", "Module"]

ENUMERATIONS = (
    "BuilderFlag",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "ProfilingVerbosity",
    "DeviceType",
    "TensorIOMode",
    "LayerInformationFormat",
    "DataType",
    "EngineInvalidityDiagnostics",
)
FULL = {"8.4": "8.4.1.5", "8.5": "8.5.2.2", "8.6": "8.6.2.3", "10.3": "10.3.0.30", "10.13": "10.13.3.9"}
FULL.update({"10.16": "10.16.2.10", "11": "11.0.0.1", "rtx": "1.7.1.116"})


class Module:
    """Knows, beside its names, what the test wants to happen: memory that ends, or a device of another kind."""

    def __init__(
        self,
        version: str,
        work: Optional[Work] = None,
        workspace_limit_mb: Optional[int] = None,
        compute: str = "8.7",
        dla_cores: int = 0,
        fails: str = "",
    ) -> None:
        """`work` None is a machine without a device; `fails` is what the builder ends with, as if it had found it."""
        self._names, self._work = Names(version), work
        self._workspace_limit_mb, self._compute, self._dla_cores, self._fails = (
            workspace_limit_mb,
            compute,
            dla_cores,
            fails,
        )
        self.__version__ = FULL[version]
        self.__name__ = "tensorrt_rtx" if version == "rtx" else "tensorrt"
        self._logger: Optional[Any] = None
        self._configs: List[build.IBuilderConfig] = []
        self._calibrated: List[Dict[str, bytes]] = []
        """What the calibrator's batches held, input by input."""
        self._contexts: List[run.IExecutionContext] = []
        self._made: Dict[str, Any] = {kind: Members(self._names, kind) for kind in ENUMERATIONS}
        self._made["Builder"] = lambda logger: build.builder(self, logger)
        self._made["Runtime"] = lambda logger: run.Runtime(self, logger)
        self._made["OnnxParser"] = lambda network, logger: build.OnnxParser(self, network, logger)
        self._made["ILogger"] = ILogger
        for kind in ("IInt8MinMaxCalibrator", "IInt8EntropyCalibrator2"):
            self._made[kind] = type(kind, (Calibrator,), {})
        self._made["init_libnvinfer_plugins"] = self._plugins

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self._names.touch("module", name)
        return self._made[name]

    def _say(self, severity: str, message: str) -> None:
        assert self._logger is not None, "nothing is said before a logger is given"
        self._names.touch("ILogger", "log")
        self._logger.log(_Severity(severity), message)

    def _take_logger(self, logger: Any) -> None:
        """The first stays: rule `logger-first`."""
        assert isinstance(logger, ILogger) and logger._made, "ILogger.__init__ was not called by its heir"
        if self._logger is None:
            self._logger = logger
        elif self._logger is not logger:
            self._say("WARNING", "The logger passed into createInferBuilder differs from one already registered")

    def _plugins(self, logger: Any, namespace: str) -> bool:
        self._take_logger(logger)
        return True

    def _constructors(self) -> Dict[str, Callable[..., Any]]:
        return {kind: made for kind, made in self._made.items() if kind in TABLE["module"] and callable(made)}


class _Severity:
    def __init__(self, name: str) -> None:
        self.name = name


class ILogger:
    _made = False

    def __init__(self) -> None:
        self._made = True

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class Calibrator:
    """What a calibrator inherits from; the builder calls what it overrides."""

    _made = False

    def __init__(self) -> None:
        self._made = True
