"""A TCP proxy between Pix and PostgreSQL that loses the answers to chosen COMMITs."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 1 << 16
COMMIT = b"COMMIT\x00"
PATIENCE_S = 30


class LossyProxy:
    """Passes everything on, but cuts the client off at the COMMIT of a transaction that wrote what it looks for.

    The COMMIT itself always arrives: before the cut, or `delay_s` after it, as when a network holds it up.
    """

    def __init__(self, server: str | tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._looked_for = b""
        self._delay_s = 0.0
        self._lock = threading.Lock()
        self._committed = threading.Event()
        self.cuts = 0

    def lose_answer(self, *, after: bytes, delay_s: float = 0) -> None:
        """Lose the answer to the next COMMIT of a transaction with this text in it."""
        self._committed.clear()
        self._looked_for, self._delay_s = after, delay_s

    def wait_for_commit(self) -> None:
        """Until the COMMIT whose answer was lost has been carried out."""
        assert self._committed.wait(PATIENCE_S), "no COMMIT was cut off"

    def serve(self) -> None:
        with suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _pass_on(self, client: socket.socket) -> None:
        family = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
        with client, socket.socket(family) as server, suppress(OSError):
            server.connect(self._server)
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            has_written = False
            while data := client.recv(CHUNK):
                with self._lock:
                    has_written |= bool(self._looked_for) and self._looked_for in data
                    is_cut = has_written and COMMIT in data
                    if is_cut:
                        self._looked_for, self.cuts = b"", self.cuts + 1
                if is_cut:
                    client.shutdown(socket.SHUT_RDWR)
                    time.sleep(self._delay_s)
                    server.sendall(data)
                    server.settimeout(PATIENCE_S)
                    self._drained(server)
                    return
                if COMMIT in data or b"ROLLBACK\x00" in data:
                    has_written = False
                server.sendall(data)

    def _drained(self, server: socket.socket) -> None:
        """PostgreSQL carries out the COMMIT, finds nobody to tell, and ends the session."""
        server.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while server.recv(CHUNK):
                pass
        self._committed.set()

    @staticmethod
    def _answer(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def lossy_proxy(server: str | tuple[str, int]) -> Iterator[LossyProxy]:
    """A proxy to a server's socket, its path or its address."""
    proxy = LossyProxy(server)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
