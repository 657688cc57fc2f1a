"""What is sealed can be read with the same key for the same purpose, and not otherwise."""

import pytest

from central_server.adapters.sealing import Seal
from central_server.ports import SealBroken


def test_what_was_sealed_is_read_again():
    """The sealed form does not show the secret, and differs each time."""
    seal = Seal("key", "agent config")
    sealed = seal.close(b"rtsp://admin:secret@cam/1")
    assert seal.open(sealed) == b"rtsp://admin:secret@cam/1"
    assert b"secret" not in sealed and sealed != seal.close(b"rtsp://admin:secret@cam/1")


@pytest.mark.parametrize("other", [Seal("another key", "agent config"), Seal("key", "join request")])
def test_another_key_or_purpose_opens_nothing(other: Seal):
    """A stolen table without the key, or a sealed value moved elsewhere, is useless."""
    with pytest.raises(SealBroken):
        other.open(Seal("key", "agent config").close(b"secret"))


def test_damage_is_noticed():
    """One changed byte, and nothing is read rather than something else."""
    sealed = bytearray(Seal("key", "p").close(b"secret"))
    sealed[20] ^= 1
    with pytest.raises(SealBroken):
        Seal("key", "p").open(bytes(sealed))
