"""Writes YOLOv5 v6/v7 as fused ONNX, offline and byte for byte the same everywhere; only this module knows the network.

The architecture (layers, widths, anchors, decoding) is written from published facts; the weights are not trained but
generated: see `uniform`. Speed depends on the graph and not on the weights, so times are real and detections are not.
"""

import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy
import onnx
from onnx import TensorProto, helper

OPSET = 12
"""JetPack 4's TensorRT reads up to 13, JetPack 5's up to 17."""
IR_VERSION = 7
"""What belongs to opset 12; left to itself, each onnx package writes its own newest."""
CLASSES = 80
ANCHORS = {
    8: ((10, 13), (16, 30), (33, 23)),
    16: ((30, 61), (62, 45), (59, 119)),
    32: ((116, 90), (156, 198), (373, 326)),
}
"""Stride to the three anchors (width, height in pixels) that its cells predict with."""
GAIN = 1.6
"""Weights have variance GAIN^2 / fan-in. SiLU damps small signals more than large ones, so no gain is stable for ever.

Measured on the noise that benchmarks feed, 64 to 640 pixels, both sizes, 5 to 20 images each: the standard deviation of
every convolution's output is between 0.09 and 1.4, and another image moves it by 15 % of that or more. On one image of
320 pixels, 1.65 lets it grow to 110, and at 1.5 the biases take over. Large bright areas drive some layers up to 1,000,
where scores saturate: still far inside FP16's 65504."""


def uniform(count: int, stream: int) -> numpy.ndarray:
    """`count` float32 in [-1, 1) on a grid of 2^-23, from SplitMix64 counted from stream * 2^32.

    z = (i + 1) * 0x9E3779B97F4A7C15;  z = (z ^ z>>30) * 0xBF58476D1CE4E5B9;  z = (z ^ z>>27) * 0x94D049BB133111EB;
    z ^ z>>31; its top 24 bits, less 2^23, over 2^23. Integer arithmetic modulo 2^64 and one exact division: no
    library's random generator or rounding is involved. (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
    Generators, OOPSLA 2014.)
    """
    with numpy.errstate(over="ignore"):
        z = numpy.arange(1, count + 1, dtype=numpy.uint64) + numpy.uint64(stream << 32)
        z = z * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    top = (z >> numpy.uint64(40)).astype(numpy.int64) - (1 << 23)
    return top.astype(numpy.float32) / numpy.float32(1 << 23)


class Graph:
    """An ONNX graph being written; a value is its name and its channels, both given to whoever reads it."""

    def __init__(self) -> None:
        self.nodes: List[onnx.NodeProto] = []
        self.initializers: List[onnx.TensorProto] = []
        self.convolutions = 0
        self._counts: Dict[str, int] = {}

    def node(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> List[str]:
        number = self._counts[kind] = self._counts.get(kind, -1) + 1
        names = [f"{kind}_{number}" + (f"_{index}" if outputs > 1 else "") for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{number}", **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.node(kind, inputs, **attributes)[0]

    def constant(self, name: str, array: numpy.ndarray) -> str:
        if all(tensor.name != name for tensor in self.initializers):
            kind = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}[array.dtype.name]
            data = numpy.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
            tensor = TensorProto(name=name, data_type=kind, dims=array.shape, raw_data=data)
            self.initializers.append(tensor)
        return name

    def convolve(self, x: str, into: int, out: int, kernel: int = 1, stride: int = 1, pad: Optional[int] = None) -> str:
        """A convolution with bias, as batch normalisation leaves it once it is fused."""
        number = self.convolutions
        self.convolutions += 1
        fan_in = into * kernel * kernel
        bound = numpy.float32(GAIN * math.sqrt(3.0 / fan_in))  # of a uniform distribution with variance GAIN^2 / fan-in
        weights = uniform(out * fan_in, 2 * number).reshape(out, into, kernel, kernel) * bound
        biases = uniform(out, 2 * number + 1) * numpy.float32(0.125)
        pad = kernel // 2 if pad is None else pad
        names = [self.constant(f"conv_{number}.weight", weights), self.constant(f"conv_{number}.bias", biases)]
        return self.one(
            "Conv",
            x,
            *names,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            dilations=[1, 1],
            group=1,
        )

    def conv(self, x: str, into: int, out: int, kernel: int = 1, stride: int = 1, pad: Optional[int] = None) -> str:
        """Convolution and SiLU, x * sigmoid(x)."""
        y = self.convolve(x, into, out, kernel, stride, pad)
        return self.one("Mul", y, self.one("Sigmoid", y))

    def c3(self, x: str, into: int, out: int, repeats: int, shortcut: bool = True) -> str:
        """Two 1x1 branches of half the width, one through `repeats` bottlenecks, joined by a third."""
        half = out // 2
        y = self.conv(x, into, half)
        for _ in range(repeats):
            inner = self.conv(self.conv(y, half, half), half, half, 3)
            y = self.one("Add", y, inner) if shortcut else inner
        return self.conv(self.one("Concat", y, self.conv(x, into, half), axis=1), out, out)

    def sppf(self, x: str, channels: int) -> str:
        """Three 5x5 poolings in a row, each seen."""
        levels = [self.conv(x, channels, channels // 2)]
        for _ in range(3):
            levels.append(
                self.one("MaxPool", levels[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4, ceil_mode=0)
            )
        return self.conv(self.one("Concat", *levels, axis=1), channels * 2, channels)

    def upsample(self, x: str) -> str:
        """Nearest neighbour, twice the size."""
        region = self.constant("upsample.roi", numpy.zeros(0, numpy.float32))  # unused, but opset 12 wants one
        scales = self.constant("upsample.scales", numpy.array([1, 1, 2, 2], numpy.float32))
        modes = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest", "nearest_mode": "floor"}
        return self.one("Resize", x, region, scales, **modes)


def backbone_and_neck(graph: Graph, depth: float, width: float) -> List[Tuple[str, int]]:
    """The three feature maps (name, channels) of strides 8, 16 and 32."""

    def wide(channels: int) -> int:
        return math.ceil(channels * width / 8) * 8

    def deep(repeats: int) -> int:
        return max(round(repeats * depth), 1)

    c64, c128, c256, c512, c1024 = (wide(channels) for channels in (64, 128, 256, 512, 1024))
    x = graph.conv("images", 3, c64, kernel=6, stride=2, pad=2)
    x = graph.c3(graph.conv(x, c64, c128, 3, 2), c128, c128, deep(3))
    p3 = graph.c3(graph.conv(x, c128, c256, 3, 2), c256, c256, deep(6))
    p4 = graph.c3(graph.conv(p3, c256, c512, 3, 2), c512, c512, deep(9))
    x = graph.c3(graph.conv(p4, c512, c1024, 3, 2), c1024, c1024, deep(3))
    top = graph.conv(graph.sppf(x, c1024), c1024, c512)
    x = graph.one("Concat", graph.upsample(top), p4, axis=1)
    middle = graph.conv(graph.c3(x, c1024, c512, deep(3), shortcut=False), c512, c256)
    x = graph.one("Concat", graph.upsample(middle), p3, axis=1)
    small = graph.c3(x, c512, c256, deep(3), shortcut=False)
    x = graph.one("Concat", graph.conv(small, c256, c256, 3, 2), middle, axis=1)
    medium = graph.c3(x, c512, c512, deep(3), shortcut=False)
    x = graph.one("Concat", graph.conv(medium, c512, c512, 3, 2), top, axis=1)
    large = graph.c3(x, c1024, c1024, deep(3), shortcut=False)
    return [(small, c256), (medium, c512), (large, c1024)]


def detect(graph: Graph, x: str, channels: int, stride: int, batch: int, height: int, width: int) -> str:
    """Boxes of one stride: centre (2 s + cell - 0.5) * stride, size (2 s)^2 * anchor, and 81 sigmoid scores."""
    rows, columns, values = height // stride, width // stride, CLASSES + 5
    x = graph.convolve(x, channels, 3 * values)
    shape = numpy.array([batch, 3, values, rows, columns], numpy.int64)
    x = graph.one("Reshape", x, graph.constant(f"detect_{stride}.shape", shape))
    x = graph.one("Sigmoid", graph.one("Transpose", x, perm=[0, 1, 3, 4, 2]))
    centre, size, scores = graph.node("Split", [x], 3, axis=4, split=[2, 2, values - 4])
    y, x_ = numpy.meshgrid(numpy.arange(rows), numpy.arange(columns), indexing="ij")
    cells = (numpy.stack([x_, y], axis=-1).astype(numpy.float32) - numpy.float32(0.5)).reshape(1, 1, rows, columns, 2)
    anchors = numpy.array(ANCHORS[stride], numpy.float32).reshape(1, 3, 1, 1, 2)
    two = graph.constant("detect.two", numpy.array(2, numpy.float32))
    step = graph.constant(f"detect_{stride}.stride", numpy.array(stride, numpy.float32))
    grid = graph.constant(f"detect_{stride}.grid", cells)
    centre = graph.one("Mul", graph.one("Add", graph.one("Mul", centre, two), grid), step)
    size = graph.one("Mul", size, two)
    size = graph.one("Mul", graph.one("Mul", size, size), graph.constant(f"detect_{stride}.anchors", anchors))
    x = graph.one("Concat", centre, size, scores, axis=4)
    flat = numpy.array([batch, 3 * rows * columns, values], numpy.int64)
    return graph.one("Reshape", x, graph.constant(f"detect_{stride}.flat", flat))


def write(depth: float, width: float, batch: int, size: Tuple[int, int]) -> bytes:
    """The serialized model for inputs `images` [batch, 3, H, W]; H and W must be multiples of 32.

    Output: `output0` [batch, boxes, 85] with 3 boxes for each cell of strides 8, 16, 32 (25,200 at 640 x 640).
    """
    height, wide = size
    graph = Graph()
    features = backbone_and_neck(graph, depth, width)
    boxes = [
        detect(graph, name, channels, stride, batch, height, wide)
        for (name, channels), stride in zip(features, ANCHORS)
    ]
    graph.nodes.append(helper.make_node("Concat", boxes, ["output0"], name="output0", axis=1))
    count = sum(3 * (height // stride) * (wide // stride) for stride in ANCHORS)
    written = helper.make_graph(
        graph.nodes,
        "yolov5",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, height, wide])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, count, CLASSES + 5])],
        graph.initializers,
    )
    model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="inference-harness", graph=written)
    model.opset_import.add(domain="", version=OPSET)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
