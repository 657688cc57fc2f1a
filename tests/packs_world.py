"""Model packs of a few kilobytes, and the archives that they come in."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge_agent.core.packs import CATALOGUE, ModelFile, ModelPack

FILES = {"detector.onnx": b"d" * 5000, "recogniser.onnx": b"r" * 9000}


def a_pack(name: str, files: Mapping[str, bytes] = FILES) -> ModelPack:
    """Return a known pack as if its two files were these, the detector first."""
    detector, recogniser = (
        ModelFile(each, len(content), hashlib.sha256(content).hexdigest()) for each, content in files.items()
    )
    size = len(zipped(files, name))
    return replace(CATALOGUE[name], zip_size=size, detector=detector, recogniser=recogniser)


def zipped(files: Mapping[str, bytes], inside: str = "buffalo_sc") -> bytes:
    """Return a zip archive with the files in a folder, as antelopev2 comes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, content in files.items():
            opened.writestr(f"{inside}/{name}", content)
    return archive.getvalue()


@contextmanager
def breaking_server(body: bytes, after: int) -> Iterator[str]:
    """Serve body at every path, hanging up after so many bytes; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:after])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
