"""What the engine inspector shows is read as it is meant, and what it does not show is not guessed.

The forms are those of NVIDIA's documentation and of the engines that TensorRT's own explorer is tested with
(github.com/NVIDIA/TensorRT v10.3.0, tools/experimental/trt-engine-explorer).
"""

import json
from typing import Any, Dict, List, Optional

import pytest

from harness.backends import _tensorrt_layers


def layer(kind: str, reads: str, writes: str = "Row major linear FP32", name: str = "a") -> Dict[str, Any]:
    return {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "x", "Dimensions": [1, 3, 8, 8], "Format/Datatype": reads}],
        "Outputs": [{"Name": "y", "Dimensions": [1, 3, 8, 8], "Format/Datatype": writes}],
    }


def read(layers: List[Any]) -> _tensorrt_layers.Found:
    return _tensorrt_layers.read(json.dumps({"Layers": layers, "Bindings": ["x", "y"]}))


@pytest.mark.parametrize(
    ("form", "precision"),
    [
        ("Row major linear FP32", "fp32"),
        ("Channel major FP32 format where channel % 4 == 0", "fp32"),
        ("Float", "fp32"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Two wide channel vectorized row major FP16 format", "fp16"),
        ("Half", "fp16"),
        ("Thirty-two wide channel vectorized row major Int8 format.", "int8"),
        ("Channel major INT8 format where channel % 16 == 0", "int8"),
        ("Int8", "int8"),
        ("Row major linear BFloat16 format", "bf16"),
        ("Row major linear FP8 format", "fp8"),
        ("Row major linear UInt8 format", "unknown"),
        ("N/A due to dynamic shapes", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_layer_runs_in_what_it_reads(form: str, precision: str) -> None:
    assert read([layer("CaskConvolution", form)]).executed == {precision: 1}


@pytest.mark.parametrize(
    "kind",
    [
        "CaskConvolution",
        "CudaDepthwiseConvolution",
        "FusedConvActConvolution",
        "CublasConvolution",
        "CaskDeconvolution",
        "ConvActPool",
        "MatrixMultiply",
        "FullyConnected",
        "gemm",
    ],
)
def test_layers_with_arithmetic_are_counted(kind: str) -> None:
    assert read([layer(kind, "Half")]).executed == {"fp16": 1}


@pytest.mark.parametrize("kind", ["NoOp", "CaskPooling", "TiledPooling", "Shuffle", "Padding", "CudaSoftMax", "Slice"])
def test_others_are_not(kind: str) -> None:
    assert read([layer(kind, "Half")]) == ({}, 0, "")


def test_an_int8_engine_that_mostly_converts_shows_it() -> None:
    """Why INT8 may be no faster: P9 of the field's pains."""
    found = read(
        [
            layer("Reformat", "Row major linear FP32", "Row major Int8 format"),
            layer("CaskConvolution", "Row major Int8 format", "Row major linear FP16 format"),
            layer("Reformat", "Row major linear FP16 format", "Row major linear FP32"),
            layer("CaskConvolution", "Row major linear FP32"),
            layer("PointWiseV2", "Row major linear FP32"),
        ]
    )
    assert (found.executed, found.reformats) == ({"int8": 1, "fp32": 1}, 2)


@pytest.mark.parametrize("kind", ["Myelin", "kgen", "DLA"])
def test_layers_that_hide_what_they_hold_are_said(kind: str) -> None:
    found = read([layer(kind, "Half"), layer("CaskConvolution", "Half")])
    assert found.note == "1 of 2 layers do not show what they hold"


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", "{}", '{"Layers": []}', '{"Layers": ["conv1", "conv2"]}', '{"Layers": [1]}']
)
def test_names_alone_and_other_texts_tell_nothing(text: str) -> None:
    """Names alone are what an engine shows that was not built in detail."""
    assert _tensorrt_layers.read(text) == ({}, None, "")


@pytest.mark.parametrize("inputs", [None, [], ["x"], [{}]])
def test_a_layer_without_inputs_to_read_is_unknown(inputs: Optional[List[Any]]) -> None:
    assert read([{"LayerType": "CaskConvolution", "Inputs": inputs}]).executed == {"unknown": 1}
