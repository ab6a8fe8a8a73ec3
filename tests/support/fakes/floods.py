"""A server that sends without a pause, in its own thread: in the reader's event loop it would have to wait."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import socket
import threading

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"


@contextmanager
def flood(*first: bytes, then: bytes) -> Iterator[str]:
    """The base URL of a server that answers every request with `first` and then endlessly with `then`."""
    server = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"".join(first))
            block = then * (65536 // len(then) + 1)
            while True:
                connection.sendall(block)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        acceptor.join()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
