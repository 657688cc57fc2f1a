"""Certificates made for a test, and real servers on loopback that show them or misbehave."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask
from werkzeug.serving import make_server

from common.join_link import JoinLink
from common.pairing import ca_hash

DAY = timedelta(days=1)


@dataclass(frozen=True)
class CA:
    """A certificate authority with files in a folder."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def file(self) -> Path:
        path = self.folder / f"{self.name}.crt"
        path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return path

    @property
    def pem(self) -> str:
        return self.file.read_text()

    @property
    def hash(self) -> str:
        return ca_hash(self.der)

    def server(self, *names: str, begins: timedelta = -DAY, ends: timedelta = 90 * DAY) -> tuple[str, str]:
        """Return the files of a certificate for names (127.0.0.1 and localhost), and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = names or ("127.0.0.1", "localhost")
        now = datetime.now(UTC)
        told = (
            _blank(names[0], key.public_key(), self.certificate.subject, now + begins, now + ends)
            .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, SHA256())
        )
        stem = self.folder / f"{self.name}-{told.serial_number}"
        stem.with_suffix(".crt").write_bytes(told.public_bytes(Encoding.PEM))
        stem.with_suffix(".key").write_bytes(_bytes(key))
        return str(stem.with_suffix(".crt")), str(stem.with_suffix(".key"))

    def link(self, url: str, code: str = "") -> JoinLink:
        return JoinLink(url, code, self.hash)


def a_ca(folder: Path, name: str = "Plant CA") -> CA:
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    usage = {each: each in ("key_cert_sign", "crl_sign") for each in _USAGES}
    made = (
        _blank(name, key.public_key(), subject, now - DAY * 400, now + DAY * 4000)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return CA(folder, name.lower().replace(" ", "-"), key, made)


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _blank(name: str, key: Any, issuer: x509.Name, begins: datetime, ends: datetime) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@contextmanager
def serving_tls(app: Flask, files: tuple[str, str]) -> Iterator[str]:
    """Serve app over HTTPS with this certificate; yield its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Take TCP connections on loopback and let `answer` do what it likes with each; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            held = []
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                connection.settimeout(1)
                held.append(connection)
                try:
                    answer(connection)
                except OSError:
                    connection.close()
            for each in held:
                each.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join(5)


def stay_silent(_connection: socket.socket) -> None:
    """Take the connection and say nothing."""


def hang_up(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.close()


def speak_http(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()
