"""An API server over real HTTP, as far as the command line asks one: objects by path, pages, dry runs, reviews."""

from __future__ import annotations

import copy
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from foretide.adapters.resources import INFERENCE_SERVICE, Resource

Raw = dict[str, Any]


class ApiServer(ThreadingHTTPServer):
    """What is in the cluster, and what was asked."""

    daemon_threads = True
    # The default of 5 drops the sixth of reviews that come at once, and TCP asks again a second later, or two, or four.
    request_queue_size = 128
    objects: dict[str, Raw]  # by path
    requests: list[tuple[str, str, dict[str, str]]]
    bodies: list[Raw]
    refuse: Callable[[str, str], int | None]  # method and path -> HTTP status
    allowed: Callable[[Raw], bool]
    proxies: dict[str, Callable[[dict[str, str]], Raw]]  # path that ends in /proxy/...
    clock_ahead_seconds: float  # of this machine's
    logs: dict[str, str]  # by path that ends in /log
    created: Callable[[Raw], None]  # hears of each object that was made

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent of a client that went away with a question open: what is said here reads as if the client said it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def put(self, resource: Resource, *raws: Raw) -> None:
        for raw in raws:
            metadata = raw["metadata"]
            path = resource.path(namespace=metadata.get("namespace"), name=metadata["name"])
            self.objects[path] = {"apiVersion": resource.api_version, "kind": resource.kind, **raw}

    def services(self, *raws: Raw) -> None:
        self.put(INFERENCE_SERVICE, *raws)

    @property
    def writes(self) -> list[tuple[str, str, dict[str, str]]]:
        """Requests that would have changed something."""
        return [
            (method, path, query)
            for method, path, query in self.requests
            if method != "GET" and query.get("dryRun") != "All" and "accessreviews" not in path
        ]

    def page(self, collection: str, query: dict[str, str]) -> Raw:
        root, _, plural = collection.rpartition("/")
        found = []
        for path, obj in sorted(self.objects.items()):
            folder, _, _ = path.rpartition("/")
            in_namespace = "/namespaces/" in folder and folder.startswith(f"{root}/namespaces/")
            if folder == collection or (in_namespace and folder.endswith(f"/{plural}")):
                found.append(obj)
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
        found = [obj for obj in found if wanted.items() <= obj["metadata"].get("labels", {}).items()]
        begin, limit = int(query.get("continue", 0)), int(query.get("limit", 500))
        metadata = {"continue": str(begin + limit)} if begin + limit < len(found) else {}
        return {"kind": "List", "metadata": metadata, "items": found[begin : begin + limit]}


class Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"
    # An answer is two writes: with Nagle's algorithm the second waits 40 ms for the acknowledgement of the first.
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), dict(parse_qsl(url.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.server.requests.append((self.command, path, query))
        self.server.bodies.append(body)
        if (code := self.server.refuse(self.command, path)) is not None:
            reason = {403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}.get(code, str(code))
            self._send(code, {"kind": "Status", "reason": reason, "message": f"{self.command} {path}: {reason}"})
        elif path == "/version":
            self._send(200, {"gitVersion": "v1.34.0"})
        elif path.endswith("accessreviews"):
            self._send(201, {"metadata": {}, "status": {"allowed": self.server.allowed(body["spec"])}})
        elif "/proxy/" in path:
            known = self.server.proxies.get(path)
            self._send(200, known(query)) if known else self._send(404, {"kind": "Status", "reason": "NotFound"})
        elif path.endswith("/log"):
            self._text(self.server.logs.get(path, ""))
        elif self.command != "GET":
            self._write(path, body)
        elif path in self.server.objects:
            self._send(200, self.server.objects[path])
        elif (
            path.rpartition("/")[2].islower()
            and path.rpartition("/")[2].endswith("s")
            and "-" not in path.rpartition("/")[2]
        ):
            self._send(200, self.server.page(path, query))
        else:
            self._send(404, {"kind": "Status", "reason": "NotFound", "message": f"{path} not found"})

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _write(self, path: str, body: Raw) -> None:
        if self.command == "POST":
            self._send(201, self._made(path, body))
        elif self.command == "DELETE":
            self.server.objects.pop(path, None)
            self._send(200, {"kind": "Status", "metadata": {}})
        else:
            self._send(200, self._merged(path, body))

    def _made(self, path: str, body: Raw) -> Raw:
        metadata = {**body["metadata"], "uid": f"uid-of-{body['metadata']['name']}"}
        made = {**body, "metadata": metadata}
        self.server.objects[f"{path}/{metadata['name']}"] = made
        self.server.created(made)
        return made

    def _merged(self, path: str, body: Raw) -> Raw:
        live = copy.deepcopy(self.server.objects.get(path, {}))
        made = {**live, **body, "metadata": {**live.get("metadata", {}), **body["metadata"]}}
        if "replicas" in live.get("spec", {}):
            made["spec"] = {**body["spec"], "replicas": live["spec"]["replicas"]}
        return made

    def _send(self, code: int, answer: Raw) -> None:
        data = json.dumps(answer).encode()
        self.send_response_only(code)
        self.send_header("Date", formatdate(time() + self.server.clock_ahead_seconds, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _text(self, text: str) -> None:
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[ApiServer]:
    """A cluster with nothing in it."""
    server = ApiServer(("127.0.0.1", 0), Handler)
    server.objects, server.requests, server.bodies, server.proxies = {}, [], [], {}
    server.logs, server.created = {}, lambda made: None
    server.refuse, server.allowed, server.clock_ahead_seconds = lambda method, path: None, lambda spec: True, 0.0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(path: Path, server: ApiServer, *, namespace: str = "shop") -> Path:
    """A file with one context, `test`, and one that leads nowhere."""
    user = {"token": "t0ken"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}},
            {"name": "gone", "cluster": {"server": "http://127.0.0.1:9"}},
        ],
        "users": [{"name": "me", "user": user}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "me", "namespace": namespace}},
            {"name": "gone", "context": {"cluster": "gone", "user": "me"}},
        ],
    }
    path.write_text(yaml.safe_dump(config))
    return path
