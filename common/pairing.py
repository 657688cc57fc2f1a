"""How a box and a server that never met recognise each other: codes that people read, and hashes of a CA.

The same arithmetic at both ends, so that somebody in between, who has another CA, shows another code.
"""

import base64
import binascii
import hashlib
import re

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing that looks like something else
HASH_LENGTH = 26  # letters of base 32: 130 bits of a SHA-256
PAIRING_LENGTH = 12  # letters of 5 bits
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}  # about 50 ms and 16 MB
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----", re.ASCII
)


def certificate_in(pem: str) -> bytes:
    """Return the first certificate of a PEM text, in DER. Raises ValueError when there is none."""
    if not (found := _CERTIFICATE.search(pem)):
        raise ValueError("there is no certificate in it")
    try:
        return base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"its certificate is not base 64 ({error})") from error


def pem_of(der: bytes) -> str:
    """Return a certificate in PEM, and nothing beside it."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def ca_hash(der: bytes) -> str:
    """Return the 26 letters that stand for a CA certificate behind the '#' of a join link."""
    return base64.b32encode(hashlib.sha256(der).digest()).decode()[:HASH_LENGTH]


def is_ca_hash(text: str) -> bool:
    return re.fullmatch(rf"[A-Z2-7]{{{HASH_LENGTH}}}", text) is not None


def promise_of(manifest_key: str, broker_password: str) -> str:
    """Return the SHA-256, in hex, by which a box commits itself to secrets that it does not yet tell."""
    return hashlib.sha256(f"{manifest_key}|{broker_password}".encode()).hexdigest()


def pairing_code(ca_der: bytes, *, nonce: str, hardware_id: str, token_hash: str, promise: str) -> str:
    """Return what the box shows and an administrator compares: XXXX-XXXX-XXXX.

    ca_der is the CA that the box was shown, empty when the system vouches for the server. The nonce (hex) is
    the box's own, so nothing can be computed before it knocks; and a code covers everything it asked with.
    """
    said = "|".join((hashlib.sha256(ca_der).hexdigest() if ca_der else "", hardware_id, token_hash, promise))
    key = hashlib.scrypt(said.encode(), salt=bytes.fromhex(nonce), dklen=8, **_SCRYPT)
    return _letters(int.from_bytes(key) >> 4)


def _letters(number: int) -> str:
    """Return the 60 bits of number as letters, in three groups."""
    letters = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(PAIRING_LENGTH)))
    return "-".join(letters[at : at + 4] for at in range(0, PAIRING_LENGTH, 4))
