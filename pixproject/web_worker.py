"""The web server's worker: requests are read and answers written by one loop, views run in threads.

A client that sends or reads slowly, or waits for a job, must take no thread from others. Gunicorn's own threads read
requests and write answers themselves, so as many slow clients as there are threads stop a process. Waitress keeps both
in a loop of its own; gunicorn stays for what it does well: the processes, their heartbeat, reload and graceful stop.
"""

import http.client
import json
import logging
import os
import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections
from gunicorn.workers import base
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, UnixWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from api.core import phrases as api_phrases
from api.core.disk import ensure_free_space, is_disk_full, is_disk_low, scratch_root
from api.core.errors import ApiError, ErrorCode, error_body
from pixproject.web.base import parking, request_id

logger = logging.getLogger("pix.web")

HEADER_S = 20  # from the first byte of a request to the last of its header
IDLE_S = 20  # between two requests of a connection
TRANSFER_S = 30  # what a client may lag behind in sending a body or reading an answer, at this speed:
MIN_BYTES_PER_S = 500
MAX_HEADER_BYTES = 32 * 2**10
MAX_SPOOLED_BYTES = 2**30  # of an answer whose client reads more slowly than its view writes, on disk
MAX_WAITING_UPLOADS = 64
BUSY_RETRY_S = 5
ACCEPTS_AT_ONCE = 16
PARKED_LOOK_S = 0.2
LIVE_PATH = "/api/health/live"
STATUS_OF = {400: ErrorCode.MALFORMED, 413: ErrorCode.REQUEST_TOO_LARGE, 431: ErrorCode.REQUEST_TOO_LARGE}


class Parked(BaseException):
    """Leaves a channel's `service` with its request still in place."""

    def __init__(self, wish: parking.Wish) -> None:
        self.wish = wish


class Request(HTTPRequestParser):
    """A request while it is being read, with its deadlines."""

    adj: Any
    was_parked = False
    has_room = False  # its body has been looked at beside the free disk space

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.started_at = time.monotonic()
        self.header_ended_at: float | None = None

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.headers_finished and self.header_ended_at is None:
            self.header_ended_at = time.monotonic()
        return consumed

    def is_late(self, now: float) -> bool:
        if self.header_ended_at is None:
            return now - self.started_at > HEADER_S
        allowed_s = TRANSFER_S + float(self.body_bytes_received) / MIN_BYTES_PER_S
        return now - self.header_ended_at > allowed_s

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if not self.is_upload:
            self.adj = self.adj.without_files

    @property
    def missing_bytes(self) -> int:
        """What is still to come of its body, as far as its header says."""
        return max(0, int(self.content_length) - int(self.body_bytes_received))

    @property
    def is_upload(self) -> bool:
        return bool(self.headers.get("CONTENT_TYPE", "").lower().startswith("multipart/"))


class Task(WSGITask):
    """Runs a view; throws its answer away where the view asked to wait."""

    wish: parking.Wish | None = None

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[parking.WAS_PARKED] = self.request.was_parked
        if not self.request.was_parked and self.request.command == "GET":
            environ[parking.OFFER] = self._park
        return environ

    def _park(self, wish: parking.Wish) -> None:
        self.wish = wish

    def write(self, data: bytes) -> None:
        if self.wish is not None:
            self.content_bytes_written += len(data)  # as far as the view knows
        else:
            # Django answers HEAD as GET; its body is the server's to drop.
            super().write(b"" if self.request.command == "HEAD" else data)

    def finish(self) -> None:
        if self.wish is not None:
            raise Parked(self.wish)
        if not self.wrote_header:
            self.write(b"")
        if self.request.command != "HEAD":
            super().finish()


class Refusal(ErrorTask):
    """The answer to what could not be read as a request: an error as every other."""

    def execute(self) -> None:
        error = self.request.error
        code = STATUS_OF.get(
            error.code, ErrorCode.INTERNAL_ERROR if error.code == 500 else ErrorCode.MALFORMED
        )
        detail = (
            "An internal error." if error.code == 500 else f"The request could not be read: {error.body}."
        )
        if error.code == 413:
            size = max(self.request.content_length, self.request.body_bytes_received)
            limit = self.request.adj.max_request_body_size - 1
            detail = api_phrases.request_too_large(size, limit, without_files=not self.request.is_upload)
        body = _error_json(ApiError(code, detail, status=error.code))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _error_json(error: ApiError) -> bytes:
    with request_id.bound(request_id.choose(None)):
        return json.dumps(error_body(error)).encode()


class Channel(HTTPChannel):
    """A connection. Everything but `service` runs in the loop."""

    task_class = Task
    error_task_class = Refusal
    parser_class = Request
    server: "Server"
    request: Request | None
    requests: list[Request]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.patience_s = float(TRANSFER_S)  # of us with a client that reads its answer
        super().__init__(*arguments, **options)

    def received(self, data: bytes) -> bool:
        try:
            goes_on = bool(super().received(data))
            if self.request is not None and self.request.headers_finished and not self.request.has_room:
                ensure_free_space(self.request.missing_bytes)
                self.request.has_room = True
            return goes_on
        except ApiError as error:
            self.refuse(error)
        except OSError as error:
            if not is_disk_full(error):
                raise
            self.refuse(ApiError(ErrorCode.DISK_FULL, api_phrases.DISK_IS_FULL))
        return False

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close)
        self.patience_s = min(float(TRANSFER_S), self.patience_s + sent / MIN_BYTES_PER_S)
        return sent

    def service(self) -> None:
        request = self.requests[0]
        try:
            super().service()
        except Parked as parked:
            request.was_parked = True
            self.server.parking.add(self, parked.wish)

    def look_at_clock(self, now: float, elapsed_s: float, *, is_low: bool) -> None:
        """Close what was idle for too long, what is read or written too slowly, and what fills a nearly full disk."""
        if self.total_outbufs_len:
            self.patience_s -= elapsed_s
            if self.patience_s < 0:
                self.handle_close()
        elif self.requests:
            pass
        elif self.request is None:
            if time.time() - self.last_activity > IDLE_S:
                self.handle_close()
        elif self.request.is_late(now):
            detail = f"The request was not complete after {now - self.request.started_at:.0f} seconds."
            self.refuse(ApiError(ErrorCode.REQUEST_TIMEOUT, detail))
        elif is_low and self.request.body_bytes_received > self.adj.inbuf_overflow:
            self.refuse(ApiError(ErrorCode.DISK_FULL, api_phrases.DISK_IS_FULL))

    def refuse(self, error: ApiError) -> None:
        """Answer without a thread, and close; only close where an earlier request is still to be answered."""
        if self.requests:
            self.handle_close()
            return
        body = _error_json(error)
        headers = {"Content-Type": "application/json", "Content-Length": len(body), "Connection": "close"}
        lines = [f"HTTP/1.1 {error.status} {http.client.responses[error.status]}"]
        lines += [f"{name}: {value}" for name, value in {**headers, **error.headers}.items()]
        answer = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        if self.request is not None:
            self.request.close()
            self.request = None
        with self.outbuf_lock:
            self.outbufs[-1].append(answer)
            self.current_outbuf_count += len(answer)
            self.total_outbufs_len += len(answer)
        self.close_when_flushed = True
        self.server.pull_trigger()


class Lane(ThreadedTaskDispatcher):
    """Threads for one kind of request."""

    def start_new_thread(self, target: Callable[[int], None], thread_no: int) -> None:
        def run(number: int) -> None:
            try:
                target(number)
            finally:
                connections.close_all()  # Django closes none for a thread that ends

        super().start_new_thread(run, thread_no)


class Lanes:
    """Views, uploads and the liveness probe each have threads of their own.

    Uploads wait for the few subprocesses that read images, minutes when many come at once; nothing else waits for
    them. The probe is answered whatever the others wait for: an orchestrator must not end a healthy process.
    """

    def __init__(self, threads: int) -> None:
        self.views, self.uploads, self.liveness = Lane(), Lane(), Lane()
        self.views.set_thread_count(threads)
        self.uploads.set_thread_count(max(1, threads // 2))
        self.liveness.set_thread_count(1)

    def add_task(self, channel: Channel) -> None:
        request = channel.requests[0]
        if request.error is None and request.path.rstrip("/") == LIVE_PATH:
            self.liveness.add_task(channel)
        elif not request.is_upload:
            self.views.add_task(channel)
        elif len(self.uploads.queue) < MAX_WAITING_UPLOADS:
            self.uploads.add_task(channel)
        else:
            request.close()
            channel.requests = []  # nobody works on it, or ever will
            detail = "Too many uploads are waiting. Try again in a few seconds."
            channel.refuse(
                ApiError(ErrorCode.UNAVAILABLE, detail, headers={"Retry-After": str(BUSY_RETRY_S)})
            )

    def shutdown(self, timeout: float) -> None:
        for lane in (self.liveness, self.views, self.uploads):
            lane.shutdown(timeout=timeout)


class Parking:
    """Requests that wait for something: one thread looks for all of them."""

    def __init__(self) -> None:
        self._parked: dict[Channel, tuple[parking.Wish, float]] = {}
        self._changed = threading.Condition()
        self._is_open = True
        threading.Thread(target=self._look, name="parking", daemon=True).start()

    def __len__(self) -> int:
        return len(self._parked)

    def add(self, channel: Channel, wish: parking.Wish) -> None:
        with self._changed:
            self._parked[channel] = (wish, time.monotonic() + wish.seconds if self._is_open else 0.0)
            self._changed.notify()

    def close(self) -> None:
        """Let all go on at once, and whoever comes still."""
        with self._changed:
            self._is_open = False
            self._parked = {channel: (wish, 0.0) for channel, (wish, _) in self._parked.items()}
            self._changed.notify()

    def _look(self) -> None:
        while True:
            with self._changed:
                while not self._parked:
                    self._changed.wait()
                waiting = dict(self._parked)
            ready = self._ready(waiting)
            with self._changed:
                for channel in ready:
                    del self._parked[channel]
            for channel in ready:
                try:
                    if channel.connected:
                        channel.server.add_task(channel)
                except Exception:  # one connection must not end the thread that serves all
                    logger.exception("A request that waited could not go on")
            if self._is_open:
                time.sleep(PARKED_LOOK_S)

    @staticmethod
    def _ready(waiting: dict[Channel, tuple[parking.Wish, float]]) -> list[Channel]:
        now = time.monotonic()
        names: dict[parking.Check, set[str]] = {}
        for wish, _ in waiting.values():
            names.setdefault(wish.check, set()).add(wish.name)
        found: set[tuple[parking.Check, str]] = set()
        for check, wanted in names.items():
            try:
                close_old_connections()
                found |= {(check, name) for name in check(wanted)}
            except (
                Exception
            ) as error:  # a database that is away: whoever waits is answered when its time is up
                logger.warning("Could not look for what requests wait for: %s", error)
        return [
            channel
            for channel, (wish, until) in waiting.items()
            if now >= until or not channel.connected or (wish.check, wish.name) in found
        ]


class _Serving:
    """A listening socket; mixed into Waitress's servers for TCP and for Unix sockets."""

    channel_class = Channel
    active_channels: dict[int, Channel]
    task_dispatcher: Lanes

    def __init__(self, *arguments: Any, parked: Parking, **options: Any) -> None:
        self.parking = parked
        self._looked_at = time.monotonic()
        super().__init__(*arguments, **options)

    def handle_accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()  # type: ignore[misc]
            if len(self.active_channels) == before:
                break

    def maintenance(self, now: float) -> None:
        """Called by the loop once a second."""
        now = time.monotonic()
        elapsed_s, self._looked_at = now - self._looked_at, now
        is_low = is_disk_low()
        for channel in list(self.active_channels.values()):
            channel.look_at_clock(now, elapsed_s, is_low=is_low)


class Server(_Serving, TcpWSGIServer):
    pass


class UnixServer(_Serving, UnixWSGIServer):
    pass


class Servers:
    """All listening sockets of a process in one loop."""

    def __init__(self, application: Any, sockets: list[socket.socket], *, threads: int) -> None:
        self.map: dict[int, Any] = {}
        self.lanes, self.parking = Lanes(threads), Parking()
        max_file_bytes = settings.MAX_FILES_PER_REQUEST * settings.MAX_UPLOAD_BYTES
        self.adjustments = self._adjustments(threads, max_file_bytes=max_file_bytes)
        self.adjustments.without_files = self._adjustments(threads, max_file_bytes=0)
        self.servers = [self._serve(application, sock) for sock in sockets]

    @staticmethod
    def _adjustments(threads: int, *, max_file_bytes: int) -> Any:
        return Adjustments(
            ident="Pix",
            threads=threads,
            connection_limit=_connection_limit(),
            cleanup_interval=1,
            channel_request_lookahead=1,  # reads on while a view runs, so that it learns of a client's end
            max_request_header_size=MAX_HEADER_BYTES,
            max_request_body_size=max_file_bytes + settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1,
            outbuf_high_watermark=MAX_SPOOLED_BYTES,
            clear_untrusted_proxy_headers=False,  # Django's settings say which of them count
            log_socket_errors=False,
        )

    def _serve(self, application: Any, sock: socket.socket) -> Any:
        serving: Any = UnixServer if sock.family == socket.AF_UNIX else Server
        return serving(
            application,
            self.map,
            _sock=sock,
            dispatcher=self.lanes,
            adj=self.adjustments,
            bind_socket=False,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            parked=self.parking,
        )

    def turn(self, timeout_s: float) -> None:
        wasyncore.poll2(timeout_s, self.map)

    def stop_accepting(self) -> None:
        """Take no new connections and no further requests; answer what has come."""
        for server in self.servers:
            server.accepting = False
            server.del_channel()
            server.socket.close()
        self.parking.close()

    def is_busy(self) -> bool:
        """Whether a request is being read, worked on or answered; closes the connections that only stay open."""
        channels = [channel for server in self.servers for channel in server.active_channels.values()]
        busy = [
            channel
            for channel in channels
            if channel.requests
            or channel.total_outbufs_len
            or (channel.request is not None and channel.request.headers_finished)
        ]
        for channel in set(channels) - set(busy):
            channel.handle_close()
        return bool(busy)


def _connection_limit() -> int:
    """As many connections as the process may have files, less what it needs for other things."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(128, wanted // 2)


class WebWorker(base.Worker):
    """`worker_class` of gunicorn."""

    def run(self) -> None:
        tempfile.tempdir = str(scratch_root())  # Waitress keeps large bodies there until they are complete
        sockets = [getattr(listener, "sock", listener) for listener in self.sockets]
        servers = Servers(self.wsgi, sockets, threads=self.cfg.threads)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            servers.turn(0.5)
        servers.stop_accepting()
        ends = time.monotonic() + self.cfg.graceful_timeout
        while servers.is_busy() and time.monotonic() < ends:
            self.notify()
            servers.turn(0.1)
        servers.lanes.shutdown(timeout=0.5)
