"""Builds an engine: parse, configure, build, look at what came out; once more with less workspace if memory ends."""

import contextlib
import json
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from harness.backends import _tensorrt_config, _tensorrt_graph, _tensorrt_layers, _tensorrt_load, _tensorrt_options
from harness.backends._contract import Built, Materials
from harness.backends._tensorrt_calibration import Calibration
from harness.backends._tensorrt_graph import Graph
from harness.backends._tensorrt_messages import Messages, failed_nodes, messages, not_parsed
from harness.backends._tensorrt_options import Options
from harness.backends._tensorrt_samples import Samples
from harness.backends._tensorrt_tensors import numpy_type
from harness.device import Device
from harness.errors import BuildError, Unsupported
from harness.jobs import CALIBRATION_CACHE, TIMING_CACHE
from harness.records import BuildOptions

LAYERS = "layers.json"
NOT_SEEN = "no device here can load the engine and show what its layers run in"


class Place(NamedTuple):
    """What builds, where, from what."""

    trt: Any
    product: str
    """As its maker writes it: `TensorRT`."""
    device: Optional[Device]
    materials: Materials
    build: BuildOptions
    options: Options
    folder: Path


class Network(NamedTuple):
    """A parsed network; its builder and parser are kept, since both own parts of it."""

    builder: Any
    parser: Any
    network: Any


def build(
    trt: Any, product: str, device: Optional[Device], materials: Materials, options: BuildOptions, engine_dir: Path
) -> Built:
    """Writes engine, timing cache and layers into `engine_dir`."""
    place = Place(trt, product, device, materials, options, _tensorrt_options.read(options), engine_dir)
    graph = _tensorrt_graph.prepare(trt, materials, options, place.options.calibrator)
    total_bytes = device.total_bytes if device is not None else None
    first = place.options.workspace_mb or _tensorrt_config.default_workspace_mb(total_bytes)
    said = messages(trt)
    settings: Dict[str, str] = {"workspace_mb": "the builder's own" if first is None else str(first)}
    if graph.calibration:
        settings["calibration"] = graph.calibration
    data = _attempt(place, graph, first, said, settings)
    if data is None and said.out_of_memory() and first is not None and first > _tensorrt_config.LOWER:
        lowered = first // _tensorrt_config.LOWER
        settings["workspace_mb"] = f"{lowered}, lowered from {first}: memory ran out"
        said.forget()
        data = _attempt(place, graph, lowered, said, settings)
    if data is None:
        raise _failure(place, said, settings)
    (engine_dir / _tensorrt_load.ENGINE).write_bytes(data)
    (engine_dir / _tensorrt_load.RUNTIME).write_text(json.dumps({"dla_core": place.options.dla_core}))
    return _built(place, graph, settings, said)


def _attempt(
    place: Place, graph: Graph, workspace_mb: Optional[int], said: Messages, settings: Dict[str, str]
) -> Optional[Any]:
    """The serialized engine, or None where the builder fails; fills `settings`."""
    trt, model = place.trt, place.materials.model.name
    made = _parse(place, graph, said)
    config = made.builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # or the inspector tells names alone
    _tensorrt_config.workspace(trt, config, workspace_mb)
    settings["flags"] = _tensorrt_config.precision(trt, made.builder, config, place.build.precision)
    _tensorrt_config.optimization_level(config, place.options.optimization_level)
    settings.update(_tensorrt_config.dla(trt, made.builder, config, made.network, place.options.dla_core))
    profile = _tensorrt_config.profile(made.builder, config, made.network, place.options, model)
    if place.options.optimization_level is not None:
        settings["optimization_level"] = str(place.options.optimization_level)
    cached = _tensorrt_config.times_kernels(config)
    if cached:
        reads = _tensorrt_options.reads_timing_cache(place.options, place.build)
        read = _tensorrt_config.timing_cache(config, place.materials.timing_cache if reads else None)
    with contextlib.ExitStack() as stack:
        calibration = _calibration(place, graph, config, made.network, profile, stack)
        data = made.builder.build_serialized_network(made.network, config)
        if calibration is not None:
            calibration.check()
            settings["calibration"] = _keep_calibration(place, calibration)
    if cached and data is not None:
        settings["timing_cache"] = (
            f"{read}, {_tensorrt_config.written_timing_cache(config, place.folder / TIMING_CACHE)}"
        )
    return data


def _parse(place: Place, graph: Graph, said: Messages) -> Network:
    trt, model = place.trt, place.materials.model
    try:
        builder = trt.Builder(said.logger)
    except (TypeError, RuntimeError) as error:  # how the binding says that there is none
        raise said.refused("begin to build") from error
    if hasattr(trt, "init_libnvinfer_plugins"):
        trt.init_libnvinfer_plugins(said.logger, "")
    kinds, flags = trt.NetworkDefinitionCreationFlag, 0
    if hasattr(kinds, "EXPLICIT_BATCH"):  # without it, versions before 10 take no ONNX model
        flags |= 1 << int(kinds.EXPLICIT_BATCH)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, said.logger)
    if not parser.parse(graph.data, str(model)):  # the path is for weights that lie beside the model
        failed = failed_nodes(parser, graph.proto.graph.node)
        version = str(trt.__version__)
        raise BuildError(not_parsed(place.product, version, model.name, graph.opset, failed, said.sentence()))
    return Network(builder, parser, network)


def _calibration(
    place: Place, graph: Graph, config: Any, network: Any, profile: Optional[Any], stack: contextlib.ExitStack
) -> Optional[Calibration]:
    """Gives `config` a calibrator where the builder has to calibrate."""
    source = place.materials.calibration
    if not graph.calibrate or source is None:
        return None
    if place.device is None:
        raise Unsupported("calibration computes on the device, and there is none here")
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    usual = {name: shapes[1] for name, shapes in place.options.profile.items()}
    samples = Samples(
        source,
        {given.name: usual.get(given.name, list(given.shape)) for given in inputs},
        {given.name: numpy_type(given.dtype) for given in inputs},
    )
    kept = place.materials.calibration_cache
    cache = kept.read_bytes() if kept is not None else None
    calibration = Calibration(place.trt, place.options.calibrator, samples, place.device, cache)
    stack.callback(calibration.close)
    config.int8_calibrator = calibration.calibrator
    if profile is not None:
        config.set_calibration_profile(profile)
    return calibration


def _keep_calibration(place: Place, calibration: Calibration) -> str:
    how = f"{place.options.calibrator}, {calibration.batches} batches"
    if calibration.written is None:
        return how if calibration.batches else f"{place.options.calibrator}, scales of an earlier build"
    (place.folder / CALIBRATION_CACHE).write_bytes(calibration.written)
    return how


def _failure(place: Place, said: Messages, settings: Dict[str, str]) -> BuildError:
    head = f"{place.product} {place.trt.__version__} cannot build {place.materials.model.name}"
    if said.out_of_memory():
        return BuildError(
            f"{head}: out of memory (workspace_mb {settings['workspace_mb']}): {said.sentence()}. Close what else uses "
            "the board's memory, add swap, or give a smaller workspace_mb"
        )
    if "workspace" in said.sentence().lower():
        return BuildError(f"{head}: {said.sentence()}. Give a larger workspace_mb than {settings['workspace_mb']}")
    return BuildError(f"{head}: {said.sentence()}")


def _built(place: Place, graph: Graph, settings: Dict[str, str], said: Messages) -> Built:
    """With what the engine itself shows of its layers, where a device here can load it."""
    try:
        engine = _tensorrt_load.engine(place.trt, place.product, place.folder, said) if place.device else None
    except Unsupported:
        engine = None
    if engine is None:
        typed = ", ".join(f"{count} {precision}" for precision, count in sorted(graph.typed.items()))
        return Built({}, f"{NOT_SEEN}; layers by the graph's own types: {typed}", graph.source, settings)
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(place.trt.LayerInformationFormat.JSON)
    (place.folder / LAYERS).write_text(text)
    found = _tensorrt_layers.read(text)
    return Built(found.executed, found.note, graph.source, settings, _device_memory(engine), found.reformats)


def _device_memory(engine: Any) -> int:
    """Scratch and activations of one execution context; the older name truncates nothing below 2 GiB."""
    return int(engine.device_memory_size_v2 if hasattr(engine, "device_memory_size_v2") else engine.device_memory_size)
