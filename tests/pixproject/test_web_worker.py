"""The web worker at its sockets: slow clients, waiting requests, full lanes. Only the application is the tests' own."""

import json
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator

import pytest

from api.core.disk import free_bytes
from pixproject import web_worker
from pixproject.web.base import parking
from pixproject.web_worker import Servers


class Site:
    """A server with one thread for views, in this process."""

    def __init__(self, application: Callable, *, threads: int = 1) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.servers = Servers(application, [listener], threads=threads)
        self.is_running = True
        self.loop = threading.Thread(target=self._run)
        self.loop.start()

    def _run(self) -> None:
        while self.is_running:
            self.servers.turn(0.05)
        self.servers.stop_accepting()
        ends = time.monotonic() + 10
        while self.servers.is_busy() and time.monotonic() < ends:
            self.servers.turn(0.05)
        self.servers.lanes.shutdown(timeout=5)

    def stop(self) -> None:
        self.is_running = False
        self.loop.join()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)

    def ask(self, request: bytes) -> bytes:
        with self.connect() as client:
            client.sendall(request)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(65536):
        received += part
    return received


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    ).encode()


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def start(application: Callable, **options: int) -> Site:
        sites.append(Site(application, **options))
        return sites[-1]

    yield start
    for site in sites:
        site.stop()


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Gate:
    """Answers `/hold` and uploads once it is opened, everything else at once."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.held = threading.Semaphore(0)

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/hold" or environ.get("CONTENT_TYPE", "").startswith("multipart/"):
            self.held.release()
            self.opened.wait(20)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def test_body_in_chunks_is_read_whole(serve):
    request = (
        get("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )

    assert body_of(serve(echo).ask(request)) == b"hello world"


def test_head_has_the_length_and_no_body(serve):
    def page(environ, start_response):
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    answer = serve(page).ask(get("/", method="HEAD"))

    assert b"Content-Length: 5" in answer
    assert body_of(answer) == b""


def test_slow_header_is_refused_and_takes_no_thread(serve, monkeypatch):
    monkeypatch.setattr(web_worker, "HEADER_S", 1)
    site = serve(echo)
    slow = [site.connect() for _ in range(20)]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")

    assert site.ask(get("/")).startswith(b"HTTP/1.1 200")  # one thread, twenty slow clients
    for client in slow:
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
        assert json.loads(body_of(answer))["code"] == "request_timeout"
        client.close()


def test_slow_body_is_refused_and_takes_no_thread(serve, monkeypatch):
    monkeypatch.setattr(web_worker, "TRANSFER_S", 1)
    site = serve(echo)
    slow = [site.connect() for _ in range(20)]
    for client in slow:
        client.sendall(get("/", "Content-Length: 1000000", method="POST") + b"x" * 100)

    assert site.ask(get("/")).startswith(b"HTTP/1.1 200")
    for client in slow:
        assert read_all(client).startswith(b"HTTP/1.1 408")
        client.close()


def test_reader_that_stops_is_cut_off_and_takes_no_thread(serve, monkeypatch):
    monkeypatch.setattr(web_worker, "TRANSFER_S", 1)

    def large(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/small":
            return [b"small"]
        return [b"x" * 2**20] * 32

    site = serve(large)
    with site.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(get("/large"))
        assert b"small" in site.ask(get("/small"))
        until(lambda: not any(server.active_channels for server in site.servers.servers))


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)


def test_idle_connection_is_closed_without_a_word(serve, monkeypatch):
    monkeypatch.setattr(web_worker, "IDLE_S", 1)

    with serve(echo).connect() as client:
        assert read_all(client) == b""


def test_liveness_is_answered_while_all_threads_are_held(serve, gate):
    site = serve(gate)
    with site.connect() as client:
        client.sendall(get("/hold"))
        gate.held.acquire()

        assert site.ask(get("/api/health/live/")).startswith(b"HTTP/1.1 200")
        gate.opened.set()
        assert read_all(client).startswith(b"HTTP/1.1 200")


def test_uploads_leave_the_threads_of_views_alone_and_are_refused_when_too_many_wait(
    serve, gate, monkeypatch
):
    monkeypatch.setattr(web_worker, "MAX_WAITING_UPLOADS", 2)
    site = serve(gate)
    upload = get(
        "/api/images/", "Content-Type: multipart/form-data; boundary=b", "Content-Length: 0", method="POST"
    )
    clients = [site.connect() for _ in range(3)]
    clients[0].sendall(upload)
    gate.held.acquire()
    for client in clients[1:]:
        client.sendall(upload)
    until(lambda: len(site.servers.lanes.uploads.queue) == 2)

    refused = site.ask(upload)
    page = site.ask(get("/"))

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable")
    assert b"Retry-After: 5" in refused
    assert json.loads(body_of(refused))["code"] == "unavailable"
    assert page.startswith(b"HTTP/1.1 200")
    gate.opened.set()
    for client in clients:
        assert read_all(client).startswith(b"HTTP/1.1 200")
        client.close()


class Waiting:
    """A view that waits for `done`, if it is offered to."""

    def __init__(self) -> None:
        self.ready: set[str] = set()
        self.looks = 0

    def check(self, names: Collection[str]) -> set[str]:
        self.looks += 1
        return self.ready & set(names)

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] != "/":
            parking.park(
                environ, parking.Wish("done", self.check, 1 if "late" in environ["PATH_INFO"] else 20)
            )
        body = b"again" if parking.was_parked(environ) else b"first"
        start_response("200 OK", [("Content-Length", "5")])
        return [body]


def test_requests_that_wait_hold_no_thread_and_are_answered_once_what_they_wait_for_happens(serve):
    waiting = Waiting()
    site = serve(waiting)
    clients = [site.connect() for _ in range(50)]
    for client in clients:
        client.sendall(get("/wait"))
    until(lambda: len(site.servers.parking) == 50)

    assert body_of(site.ask(get("/"))) == b"first"
    waiting.ready.add("done")
    assert [body_of(read_all(client)) for client in clients] == [b"again"] * 50
    for client in clients:
        client.close()


def test_request_that_waits_is_answered_when_its_time_is_up_and_forgotten_when_its_client_leaves(serve):
    site = serve(Waiting())
    with site.connect() as client:
        client.sendall(get("/wait"))
        until(lambda: len(site.servers.parking) == 1)
    until(lambda: len(site.servers.parking) == 0)

    assert body_of(site.ask(get("/late"))) == b"again"


def test_stop_answers_what_waits_and_what_is_worked_on(serve, gate):
    waiting = Waiting()
    site = serve(
        lambda environ, start: (gate if environ["PATH_INFO"] == "/hold" else waiting)(environ, start)
    )
    with site.connect() as parked, site.connect() as held, site.connect() as idle:
        parked.sendall(get("/wait"))
        until(lambda: len(site.servers.parking) == 1)
        held.sendall(get("/hold"))
        gate.held.acquire()
        site.is_running = False
        until(lambda: len(site.servers.parking) == 0)
        gate.opened.set()

        assert body_of(read_all(held)) == b"ok"
        assert body_of(read_all(parked)) == b"again"
        assert read_all(idle) == b""


def test_what_is_no_request_gets_an_error_like_every_other(serve):
    answer = serve(echo).ask(b"nonsense\r\n\r\n")
    long = serve(echo).ask(get("/" + "x" * 40_000))

    assert answer.startswith(b"HTTP/1.0 400 Bad Request")
    assert json.loads(body_of(answer))["code"] == "malformed"
    assert b" 431 " in long.splitlines()[0]
    assert json.loads(body_of(long))["code"] == "request_too_large"


def test_large_body_without_files_is_refused_by_its_header(serve, settings):
    size = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1

    refused = serve(echo).ask(get("/", f"Content-Length: {size}", method="POST"))  # nothing of it is sent

    assert b" 413 " in refused.splitlines()[0]
    assert json.loads(body_of(refused))["code"] == "request_too_large"


UPLOAD = ("Content-Type: multipart/form-data; boundary=b", "Content-Length: 2000000")


def test_upload_that_would_take_the_last_room_is_refused_by_its_header(serve, settings):
    settings.MIN_FREE_DISK_BYTES = free_bytes() - 1_000_000

    refused = serve(echo).ask(get("/", *UPLOAD, method="POST"))

    assert b" 507 " in refused.splitlines()[0]
    assert json.loads(body_of(refused))["code"] == "disk_full"


def test_uploads_under_way_make_room_when_the_disk_becomes_low(serve, settings):
    site = serve(echo)
    with site.connect() as client:
        client.sendall(get("/", *UPLOAD, method="POST") + b"x" * 1_000_000)
        until(
            lambda: any(c.request for server in site.servers.servers for c in server.active_channels.values())
        )
        settings.MIN_FREE_DISK_BYTES = 2**60

        assert b" 507 " in read_all(client).splitlines()[0]


def test_refusal_beside_a_parked_request_closes_and_leaves_the_others_waiting(serve, settings):
    waiting = Waiting()
    site = serve(waiting)
    with site.connect() as good, site.connect() as bad:
        for client in (good, bad):
            client.sendall(get("/wait"))
        until(lambda: len(site.servers.parking) == 2)
        settings.MIN_FREE_DISK_BYTES = 2**60
        bad.sendall(get("/", *UPLOAD, method="POST"))
        until(lambda: len(site.servers.parking) == 1)
        waiting.ready.add("done")

        assert body_of(read_all(good)) == b"again"
