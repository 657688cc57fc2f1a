"""Secrets that must be read again, kept so that the database alone does not give them away.

Sealed with Fernet (AES-128-CBC and HMAC-SHA256) under a key derived from HADIR_SECRET_KEY; whoever steals a
backup of the database but not that key has nothing.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from central_server.ports import SealBroken


class Seal:
    """Seals bytes for one purpose, e.g. "agent config"; what was sealed for another cannot be opened."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def close(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises SealBroken."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SealBroken(
                "cannot be opened: HADIR_SECRET_KEY is another one than when it was kept"
            ) from error
