"""A server on a socket that answers as a Docker engine would, from a table: for what a real one is not made to say."""

import http.server
import json
import socketserver
import threading
from pathlib import Path
from typing import Callable, Dict, List, Tuple, Union
from urllib.parse import unquote

Answer = Tuple[int, Union[bytes, Dict[str, object], List[object]]]


class StubEngine:
    """`answers` maps `GET /images/x/json`, without the version of the API and what follows `?`; others are 404."""

    def __init__(self, path: Path, answers: Dict[str, Answer]) -> None:
        self.address, self.asked = f"unix://{path}", []  # type: Tuple[str, List[str]]
        ping: Dict[str, Answer] = {"GET /version": (200, {"ApiVersion": "1.41"}), "GET /_ping": (200, b"OK")}
        table = {**ping, **answers}
        asked = self.asked

        class Answers(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                where = unquote(self.path).partition("?")[0]
                if where.startswith("/v1."):
                    where = "/" + where.split("/", 2)[2]
                asked.append(f"{self.command} {where}")
                status, body = table.get(asked[-1], (404, {"message": f"No such image: {where}"}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if self.command == "POST" and status == 200:  # what an engine does meanwhile comes in chunks
                    self.send_header("Transfer-Encoding", "chunked")
                    data = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + b"0\r\n\r\n"
                else:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

            def address_string(self) -> str:
                return "socket"

            def log_message(self, *_: object) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(str(path), Answers)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Engines = Callable[[Dict[str, Answer]], StubEngine]
