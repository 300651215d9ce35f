"""A small imitation of the Hugging Face hub, as far as the files of a model go, and the verb that asks it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from extractors import fetch
from extractors.files import UserError

LARGE = (".safetensors", ".bin", ".h5")


class FakeHub:
    """Models by name, each a dictionary of files, and every request that came."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.damaged: set[str] = set()
        """Files of which one byte flips on the way."""
        self.stalled: set[str] = set()
        """Files of which only the first half is sent, until `go_on`."""
        self.go_on = threading.Event()
        self.closed: dict[str, str] = {}
        """Models with gated files: `api` or `files`."""
        self.requests: list[str] = []
        self.url = ""

    def commit(self, model: str) -> str:
        names = json.dumps({name: sha256(content) for name, content in sorted(self.models[model].items())})
        return hashlib.sha1(names.encode()).hexdigest()

    def fetched(self, ending: str) -> list[str]:
        """Requests of the bodies of files with this ending."""
        return [line for line in self.requests if line.startswith("GET /") and line.endswith(ending)]

    @contextmanager
    def serve(self) -> Iterator[FakeHub]:
        handler = type("Bound", (Handler,), {"hub": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.go_on.set()
            server.shutdown()
            thread.join()
            server.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/(.+))?", path):
            self._model(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)", path):
            self._file(*found.groups())
        elif found := re.fullmatch(r"/storage/([^/]+/[^/]+)/(.+)", path):
            self._body(found[2], self.hub.models[found[1]][found[2]], {})
        else:
            self._answer(404, b"", {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _model(self, model: str, revision: str) -> None:
        if model not in self.hub.models:
            return self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", "refs/pr/1", self.hub.commit(model)):
            return self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if self.hub.closed.get(model) == "api":
            return self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        content = {"id": model, "sha": self.hub.commit(model), "siblings": []}
        for name, data in self.hub.models[model].items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git_blob(data)}
            if name.endswith(LARGE):
                entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
            content["siblings"].append(entry)
        return self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _file(self, model: str, commit: str, name: str) -> None:
        if self.hub.closed.get(model) == "files":
            return self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        data = self.hub.models[model][name]
        headers = {"X-Repo-Commit": commit}
        if not name.endswith(LARGE):
            return self._body(name, data, {**headers, "ETag": f'"{git_blob(data)}"'})
        other_host = self.hub.url.replace("127.0.0.1", "localhost")
        headers |= {"X-Linked-ETag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data))}
        return self._answer(302, b"", {**headers, "Location": f"{other_host}/storage/{model}/{name}"})

    def _body(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        if name in self.hub.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._answer(200, data, headers, wait=name in self.hub.stalled)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], wait: bool = False) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            half = len(body) // 2 if wait else len(body)
            try:
                self.wfile.write(body[:half])
                self.wfile.flush()
                if wait:
                    self.hub.go_on.wait(60)
                self.wfile.write(body[half:])
            except OSError:  # the other side was killed
                self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def configuration(folder: Path, text: dict[str, Any], speech: dict[str, Any] | None = None) -> Path:
    path = folder.with_name("config.yaml")
    section = {"folder": str(folder), "text": text, "speech": speech or {"model": "logmel"}}
    path.write_text(json.dumps({"seeds": [1], "encoders": section}))
    return path


def run(config: Path, *extra: str) -> None:
    parser = argparse.ArgumentParser()
    fetch.add_arguments(parser)
    fetch.main(parser.parse_args(["--config", str(config), *extra]))


def refused(config: Path) -> str:
    with pytest.raises(UserError) as caught:
        run(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)
