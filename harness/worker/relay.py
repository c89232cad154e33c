"""One TCP connection of this container's loopback as standard input and output: how it is reached without a network.

`python -m harness.worker.relay connect PORT` or `listen PORT`. Nothing happens before the first byte of input, which is
taken out: who starts this may lose what comes before it listens itself. Either end that closes ends both.
"""

import os
import socket
import sys
import threading

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 1 << 16


def main(how: str, port: int) -> None:
    os.read(0, 1)
    if how == "connect":
        connection = socket.create_connection((LOOPBACK, port))
    else:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            listener.listen(1)
            connection, _ = listener.accept()
    threading.Thread(target=_inward, args=(connection,), daemon=True).start()
    while True:
        data = connection.recv(CHUNK_BYTES)
        if not data:
            return
        while data:
            data = data[os.write(1, data) :]


def _inward(connection: socket.socket) -> None:
    while True:
        data = os.read(0, CHUNK_BYTES)
        if not data:
            os._exit(0)
        connection.sendall(data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
