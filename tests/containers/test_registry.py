"""A registry that answers as no registry should: told in words. Real ones are tests/docker's."""

import http.server
import threading
from typing import Iterator, List

import pytest

from harness.errors import LaunchError
from harness.host.containers import registry


@pytest.fixture()
def answers() -> Iterator[List[bytes]]:
    """Its address in the first place; the last is what it answers."""
    given: List[bytes] = []

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", registry.INDEX_TYPES[0])
            self.send_header("Content-Length", str(len(given[-1])))
            self.end_headers()
            self.wfile.write(given[-1])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Index) as server:
        given.append(f"127.0.0.1:{server.server_address[1]}/library/base:now".encode())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield given
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"manifests": 5}', b'{"manifests": [{"platform": {}}]}'])
def test_an_index_that_is_none(answers: List[bytes], body: bytes) -> None:
    answers.append(body)
    with pytest.raises(
        LaunchError, match=r"library/base:now: the registry 127\.0\.0\.1:\d+ answers with an index that"
    ):
        registry.digest(answers[0].decode(), "linux/arm64")


def test_an_index_without_the_platform(answers: List[bytes]) -> None:
    answers.append(b'{"manifests": []}')
    with pytest.raises(LaunchError, match="no image for linux/arm64 there; there are: none"):
        registry.digest(answers[0].decode(), "linux/arm64")
