"""The stand-in's runtime: its engines copy all input bytes, again and again, into each output."""

import json
from typing import Any, Dict, List, Optional, Tuple

import numpy

from tests.stand_in_tensorrt.build import MAGIC, Part, itemsize
from tests.stand_in_tensorrt.names import Dims, Member
from tests.stand_in_tensorrt.rules import hold
from tests.stand_in_tensorrt.work import Copy

ALIGNMENT = 256
SHARED_PROFILES = ("8.6", "10.3", "10.13", "10.16", "11", "rtx")


class Runtime(Part):
    def __init__(self, trt: Any, logger: Any) -> None:
        super().__init__(trt)
        trt._take_logger(logger)
        self._core = -1

    DLA_core = property(None, lambda self, value: setattr(self, "_core", value))

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> "Optional[ICudaEngine]":
        trt, data = self._trt, bytes(serialized_engine)
        try:
            about = json.loads(data[len(MAGIC) :]) if data.startswith(MAGIC) else None
        except ValueError:
            about = None
        if about is None:
            return self._refuse(
                "1: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: Serialization (Magic tag does not match)"
            )
        if about["version"] != trt.__version__:
            return self._refuse(
                "6: The engine plan file is not compatible with this version of TensorRT, expecting library version "
                f"{trt.__version__} got {about['version']}, please rebuild."
            )
        if about["compute"] != trt._compute:
            return self._refuse(
                "6: The engine plan file is generated on an incompatible device, expecting compute "
                f"{trt._compute} got compute {about['compute']}, please rebuild."
            )
        if trt._fails:
            return self._refuse(trt._fails)
        hold("dla-runtime", about["dla"] is None or about["dla"] == self._core, f"DLA core {self._core}")
        return ICudaEngine(trt, about)

    def get_engine_validity(self, buffer: bytes) -> Tuple[int, int]:
        kinds = self._trt._made["EngineInvalidityDiagnostics"].__members__
        return 2, int(kinds["UNSUPPORTED_CC"]) if self._trt._compute == "9.0" else 0

    def _refuse(self, message: str) -> None:
        self._trt._say("ERROR", message)
        self._trt._say("ERROR", "4: [runtime.cpp::deserializeCudaEngine::50] Error Code 4: Internal Error (failed.)")


class ICudaEngine(Part):
    def __init__(self, trt: Any, about: Dict[str, Any]) -> None:
        super().__init__(trt)
        self._about = about
        self._ports: List[Dict[str, Any]] = about["ports"]
        self._contexts = 0

    def _named(self, name: str) -> Dict[str, Any]:
        return next(port for port in self._ports if port["name"] == name)

    def _dtype(self, port: Dict[str, Any]) -> Any:
        return self._trt._made["DataType"].__members__[port["dtype"]]

    @property
    def num_io_tensors(self) -> int:
        return len(self._ports)

    def get_tensor_name(self, index: int) -> str:
        return str(self._ports[index]["name"])

    def get_tensor_mode(self, name: str) -> Any:
        into = self._trt._made["TensorIOMode"].__members__["INPUT"]
        return into if self._named(name)["input"] else Member(int(into) + 1, "OUTPUT")

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self._named(name)["shape"])

    def get_tensor_dtype(self, name: str) -> Any:
        return self._dtype(self._named(name))

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> List[Dims]:
        assert profile_index == 0
        return [Dims(shape) for shape in self._named(name)["profile"]]

    @property
    def num_bindings(self) -> int:
        return len(self._ports)

    def get_binding_name(self, index: int) -> str:
        return str(self._ports[index]["name"])

    def binding_is_input(self, index: int) -> bool:
        return bool(self._ports[index]["input"])

    def get_binding_shape(self, index: int) -> Dims:
        return Dims(self._ports[index]["shape"])

    def get_binding_dtype(self, index: int) -> Any:
        return self._dtype(self._ports[index])

    def get_profile_shape(self, profile_index: int, binding: int) -> List[Dims]:
        assert profile_index == 0
        return [Dims(shape) for shape in self._ports[binding]["profile"]]

    @property
    def device_memory_size(self) -> int:
        return 4096

    @property
    def device_memory_size_v2(self) -> int:
        return 4096

    def create_execution_context(self) -> "IExecutionContext":
        self._contexts += 1
        context = IExecutionContext(self._trt, self, first=self._contexts == 1)
        self._trt._contexts.append(context)
        return context

    def create_engine_inspector(self) -> "EngineInspector":
        return EngineInspector(self._trt, self)


class EngineInspector(Part):
    def __init__(self, trt: Any, engine: ICudaEngine) -> None:
        super().__init__(trt)
        self._engine = engine

    def get_engine_information(self, format: Any) -> str:
        assert format.name == "JSON"
        about = self._engine._about
        if not about["detailed"]:
            return json.dumps({"Layers": about["layers"], "Bindings": []})
        into = {"Name": "x", "Format/Datatype": f"Row major linear {about['precision']}"}
        layers = [{"Name": "in", "LayerType": "Reformat", "Inputs": [into], "Outputs": [into]}]
        layers += [{"Name": kind, "LayerType": f"Cask{kind}", "Inputs": [into]} for kind in about["layers"]]
        return json.dumps({"Layers": layers, "Bindings": []})


class IExecutionContext(Part):
    def __init__(self, trt: Any, engine: ICudaEngine, first: bool) -> None:
        super().__init__(trt)
        self._engine = engine
        self._profile = 0 if first or trt._names.version in SHARED_PROFILES else -1
        self._shapes = {port["name"]: list(port["shape"]) for port in engine._ports}
        self._addresses: Dict[str, int] = {}
        self._flying: List[int] = []
        """Streams on which an inference of this context is not known to be done."""
        self._enqueued = 0

    @property
    def active_optimization_profile(self) -> int:
        return self._profile if any(port["profile"] for port in self._engine._ports) else 0

    def set_input_shape(self, name: str, shape: Any) -> bool:
        return self._set_shape(name, shape)

    def set_binding_shape(self, binding: int, shape: Any) -> bool:
        return self._set_shape(self._engine._ports[binding]["name"], shape)

    def _set_shape(self, name: str, shape: Any) -> bool:
        least, _, most = self._engine._named(name)["profile"]
        self._shapes[name] = list(shape)
        return all(low <= size <= high for low, size, high in zip(least, shape, most))

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims(self._shape(self._engine._named(name)))

    def get_binding_shape(self, binding: int) -> Dims:
        return Dims(self._shape(self._engine._ports[binding]))

    def _shape(self, port: Dict[str, Any]) -> List[int]:
        """A dynamic dimension of an output is the inputs' batch: enough for what is built here."""
        shape = self._shapes[port["name"]]
        if port["input"] or -1 not in shape:
            return shape
        batch = next(self._shapes[one["name"]][0] for one in self._engine._ports if one["input"])
        return [batch if size == -1 else size for size in shape]

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if all(port["name"] != name for port in self._engine._ports):
            return False
        hold("address-aligned", memory % ALIGNMENT == 0, f"{name} at {memory:#x}")
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        return self._enqueue(self._addresses, stream_handle)

    def execute_async_v2(self, bindings: List[int], stream_handle: int) -> bool:
        return self._enqueue(self._bound(bindings), stream_handle)

    def execute_v2(self, bindings: List[int]) -> bool:
        self._trt._work.now(self._copies(self._bound(bindings)))
        return True

    def _bound(self, bindings: List[int]) -> Dict[str, int]:
        ports = self._engine._ports
        hold("bindings", isinstance(bindings, list) and len(bindings) == len(ports), f"{len(bindings)} bindings")
        return {port["name"]: address for port, address in zip(ports, bindings)}

    def _enqueue(self, addresses: Dict[str, int], handle: int) -> bool:
        hold("stream-own", handle != 0, "stream 0")
        hold("stream-one", all(one == handle for one in self._flying), "another stream still runs this context")
        hold("profile-one", self.active_optimization_profile >= 0, "a second context")
        capturing = self._trt._work.capturing(handle)
        hold("capture-second", not capturing or self._enqueued > 0, "the first inference is captured")
        copies = self._copies(addresses)
        self._enqueued += 1
        if capturing:
            self._trt._work.issue(handle, copies, lambda: None)
        else:
            self._flying.append(handle)
            self._trt._work.issue(handle, copies, lambda: self._flying.remove(handle))
        return True

    def _copies(self, addresses: Dict[str, int]) -> List[Copy]:
        """Input bytes one after another, from the first again as often as it takes to fill an output."""
        sizes: Dict[str, int] = {}
        for port in self._engine._ports:
            name, shape = port["name"], self._shape(port)
            hold("shapes-set", -1 not in shape, f"{name} has the shape {shape}")
            hold("address-set", bool(addresses.get(name)), name)
            sizes[name] = int(numpy.prod(shape)) * itemsize(port["dtype"])
            there = self._trt._work.holds(addresses[name], sizes[name])
            hold("address-size", there, f"{name}: {sizes[name]} bytes at {addresses[name]:#x}")
        inputs = [port["name"] for port in self._engine._ports if port["input"]]
        copies = []
        for port in self._engine._ports:
            if port["input"]:
                continue
            done, turn = 0, 0
            while done < sizes[port["name"]]:
                source = inputs[turn % len(inputs)]
                nbytes = min(sizes[source], sizes[port["name"]] - done)
                copies.append((addresses[port["name"]] + done, addresses[source], nbytes))
                done, turn = done + nbytes, turn + 1
        return copies
