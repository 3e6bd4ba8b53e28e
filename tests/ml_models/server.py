"""A local HTTP server of files that misbehaves as it is told."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served, how, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    knows_ranges: bool = True
    says_length: bool = True
    content_type: str = "application/octet-stream"
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    statuses: list[int] = field(default_factory=list)  # of the next answers, before the file is served
    asked: list[tuple[str, str]] = field(default_factory=list)  # (path, Range)
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None  # answers wait for it
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, asked = self.site, self.headers.get("Range", "")
        site.asked.append((self.path, asked))
        if site.hold:
            site.hold.wait(20)
        if site.statuses:
            return self.short(site.statuses.pop(0))
        content = site.files.get(self.path.lstrip("/"))
        if content is None:
            return self.short(404)
        begin = self.begin(asked)
        if begin and begin >= len(content):
            return self.short(416, {"Content-Range": f"bytes */{len(content)}"})
        self.serve(content, begin)
        return None

    def begin(self, asked: str) -> int:
        found = re.match(r"bytes=(\d+)-$", asked)
        is_other = self.headers.get("If-Range", self.site.etag) != self.site.etag
        return int(found[1]) if found and self.site.knows_ranges and not is_other else 0

    def serve(self, content: bytes, begin: int) -> None:
        site = self.site
        self.send_response(206 if begin else 200)
        self.send_header("Content-Type", site.content_type)
        self.send_header("ETag", site.etag)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if site.says_length:
            self.send_header("Content-Length", str(len(content) - begin))
        for name, value in site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        rest = content[begin:]
        self.wfile.write(rest[: site.cuts.pop(0)] if site.cuts else rest)

    def short(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
