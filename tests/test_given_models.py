"""Models that come as files or from an address: shapes, types and names are the graph's, and what is wrong is said."""

import hashlib
import http.server
import threading
from pathlib import Path
from typing import Iterator, List

import numpy
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.errors import ModelError, PlanError
from harness.host import plan as plans
from harness.host.block import Block
from harness.host.models import download, shapes
from harness.host.models.manifest import Published
from harness.host.models.prepare import prepare
from harness.host.plan import Plan


def save(path: Path, dims: List[object], half: bool = False, external: bool = False) -> Path:
    """`image` -> Conv with 1 x 1 kernels -> Cast -> `scores`; in fp16 where `half` is asked for."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    weights = numpy.full((4, 3, 1, 1), 0.1, numpy.float16 if half else numpy.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["features"]),
        helper.make_node("Cast", ["features"], ["scores"], to=kind),
    ]
    graph = helper.make_graph(
        nodes,
        "given",
        [helper.make_tensor_value_info("image", kind, dims)],
        [helper.make_tensor_value_info("scores", kind, None)],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, str(path), save_as_external_data=external, location="weights.bin", size_threshold=0)
    return path


def test_a_static_file_is_read_as_it_is(tmp_path: Path) -> None:
    model = prepare(tmp_path, str(save(tmp_path / "net.onnx", [1, 3, 8, 8])), 1)
    assert model.reference == "net"
    assert model.ranges == {"image": [0.0, 1.0]}
    assert model.path.parent == tmp_path / "files"
    assert str(tmp_path) not in model.manifest.description
    assert onnxruntime.InferenceSession(str(model.path)).get_outputs()[0].shape == [1, 4, 8, 8]


def test_dynamic_dimensions_need_sizes_and_the_message_shows_how(tmp_path: Path) -> None:
    path = str(save(tmp_path / "net.onnx", ["batch", 3, "height", None]))
    with pytest.raises(ModelError, match=r"image is batch x 3 x height x \?: .* SHAPES=image:1x3x640x640"):
        prepare(tmp_path, path, 1)
    model = prepare(tmp_path, path, 1, {"image": [1, 3, 16, 32]})
    assert onnxruntime.InferenceSession(str(model.path)).get_outputs()[0].shape == [1, 4, 16, 32]
    other = prepare(tmp_path, path, 1, {"image": [1, 3, 16, 16]})
    assert other.path != model.path, "two sizes are two models"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"images": [1, 3, 8, 8]}, "has no input 'images'; it has image"),
        ({"image": [1, 3, 8]}, "image has 4 dimensions in net.onnx, 3 were given"),
        ({"image": [1, 4, 8, 8]}, "3 cannot become 4"),
        ({"image": [1, 3, 2**80, 8]}, "a size is a number from 1 to 2147483647"),
        ({"image": [1, 3, 8, -8]}, "a size is a number from 1"),
    ],
)
def test_sizes_that_do_not_fit(tmp_path: Path, sizes: dict, message: str) -> None:
    path = save(tmp_path / "net.onnx", ["batch", 3, "height", "width"])
    with pytest.raises(ModelError, match=message):
        prepare(tmp_path, str(path), 1, sizes)


def test_a_batch_of_a_file_is_the_files(tmp_path: Path) -> None:
    path = str(save(tmp_path / "net.onnx", [1, 3, 8, 8]))
    with pytest.raises(ModelError, match="a batch of 2 goes into SHAPES"):
        prepare(tmp_path, path, 2)


def test_fp16_is_widened_and_said(tmp_path: Path) -> None:
    half = prepare(tmp_path, str(save(tmp_path / "half.onnx", [1, 3, 8, 8], half=True)), 1)
    assert "FP16" in half.manifest.note
    loaded = onnx.load(str(half.path))
    onnx.checker.check_model(loaded, full_check=True)
    image = numpy.random.RandomState(0).random_sample((1, 3, 8, 8)).astype(numpy.float32)
    output = onnxruntime.InferenceSession(str(half.path)).run(None, {"image": image})[0]
    assert output.dtype == numpy.float32
    full = prepare(tmp_path, str(save(tmp_path / "full.onnx", [1, 3, 8, 8])), 1)
    assert full.manifest.note == ""
    expected = onnxruntime.InferenceSession(str(full.path)).run(None, {"image": image})[0]
    numpy.testing.assert_allclose(output, expected, rtol=1e-3)


def test_fp16_is_widened_inside_of_branches_too(tmp_path: Path) -> None:
    """The condition is false, so the output is what the inner branch holds: 0.5, stored in fp16."""

    def branch(value: float) -> onnx.GraphProto:
        half = numpy_helper.from_array(numpy.full(2, value, numpy.float16), "")
        node = helper.make_node("Constant", [], ["inner"], value=half)
        return helper.make_graph(
            [node], "branch", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT16, [2])]
        )

    nodes = [
        helper.make_node("Constant", [], ["no"], value=numpy_helper.from_array(numpy.array(False), "")),
        helper.make_node("If", ["no"], ["chosen"], then_branch=branch(0.25), else_branch=branch(0.5)),
        helper.make_node("Add", ["image", "chosen"], ["scores"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [2]) for name in ("image", "scores")]
    graph = helper.make_graph(nodes, "branches", values[:1], values[1:])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
    model = prepare(tmp_path, str(path), 1)
    assert "FP16" in model.manifest.note
    session = onnxruntime.InferenceSession(str(model.path))
    output = session.run(None, {"image": numpy.array([1, 2], numpy.float32)})[0]
    assert output.dtype == numpy.float32
    assert output.tolist() == [1.5, 2.5]


def test_external_data_goes_into_the_prepared_file(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [1, 3, 8, 8], external=True)
    assert (tmp_path / "weights.bin").exists()
    model = prepare(tmp_path, str(path), 1)
    assert onnxruntime.InferenceSession(str(model.path)).get_inputs()[0].shape == [1, 3, 8, 8]


def test_sizes_that_nothing_can_hold_are_left_to_the_backends(tmp_path: Path) -> None:
    path = save(tmp_path / "huge.onnx", [2**40, 3, 2**40, 2**40])
    assert prepare(tmp_path / "models", str(path), 2**40, {}).ranges == {"image": [0.0, 1.0]}


def test_old_graphs_that_list_weights_as_inputs(tmp_path: Path) -> None:
    model = onnx.load(str(save(tmp_path / "net.onnx", [1, 3, 8, 8])))
    model.graph.input.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, [4, 3, 1, 1]))
    assert [value.name for value in shapes.inputs(model)] == ["image"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"MODEL: .*none\.onnx: No such file"):
        prepare(tmp_path, str(tmp_path / "none.onnx"), 1)


def test_two_files_of_one_name_are_refused() -> None:
    plan = Plan(title="t", experiments=[Block(models=["a/net.onnx", "b/net.onnx"], backends=["null"])])
    with pytest.raises(PlanError, match=r"a/net\.onnx and b/net\.onnx would both be called net"):
        plans.models(plan)


class Server(http.server.BaseHTTPRequestHandler):
    """Answers /whole, /short and /chunks (break off), /long (never ends where it should) and /words (no HTTP)."""

    body = b"model" * 1000

    def do_GET(self) -> None:
        if self.path == "/none":
            self.send_error(404)
            return
        if self.path == "/words":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        self.send_response(200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ffff\r\nmodel")
            return
        self.send_header("Content-Length", str(len(self.body) * (2 if self.path == "/long" else 1)))
        self.end_headers()
        self.wfile.write(self.body[: len(self.body) // 2] if self.path == "/short" else self.body)
        if self.path == "/long":
            self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def published(url: str, data: bytes = Server.body) -> Published:
    return Published(url=url, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(Server.body))


def test_a_published_file_is_fetched_whole(address: str) -> None:
    assert download.fetch(published(f"{address}/whole")) == Server.body


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/short", "broke off after 2500 of 5000 bytes; nothing was kept"),
        ("/none", "Not Found"),
        ("/words", "this is no HTTP; is the network there"),
        ("/chunks", "IncompleteRead.*Nothing was kept"),
        ("/long", r"wrong checksum(.|\n)*expected (.|\n)*found"),
    ],
)
def test_a_download_that_goes_wrong_keeps_nothing(address: str, path: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        download.fetch(published(address + path))


def test_a_published_file_with_another_checksum_shows_both(address: str) -> None:
    with pytest.raises(ModelError) as caught:
        download.fetch(published(f"{address}/whole", b"another"))
    assert hashlib.sha256(b"another").hexdigest() in str(caught.value)
    assert hashlib.sha256(Server.body).hexdigest() in str(caught.value)


def test_nobody_there_is_said() -> None:
    with pytest.raises(ModelError, match="is the network there"):
        download.fetch(published("http://127.0.0.1:9/none"))


def test_a_manifest_of_a_published_file_makes_it_ready_or_leaves_no_trace(tmp_path: Path, address: str) -> None:
    source = save(tmp_path / "source.onnx", [1, 3, 8, 8], half=True).read_bytes()
    Server.body, before = source, Server.body
    try:
        text = f"""
description = "d"
licence = "l"
weights = "trained"
note = "stores FP16"
[source]
kind = "published"
url = "{address}/PATH"
size_bytes = {len(source)}
sha256 = "{hashlib.sha256(source).hexdigest()}"
[inputs.image]
shape = ["batch", 3, 8, 8]
range = [0.0, 1.0]
meaning = "m"
[outputs]
scores = "s"
"""
        (tmp_path / "net.toml").write_text(text.replace("PATH", "short"))
        with pytest.raises(ModelError, match="broke off"):
            prepare(tmp_path, "net", 1)
        assert not (tmp_path / "files").exists()
        (tmp_path / "net.toml").write_text(text.replace("PATH", "whole"))
        model = prepare(tmp_path, "net", 1)
    finally:
        Server.body = before
    assert onnx.load(str(model.path)).graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert model.manifest.note == "stores FP16"
