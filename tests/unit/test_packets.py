"""Which packets need no decoding, on real H.264 and HEVC."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.adapters.decoding import Opening, Video
from edge_agent.core.packets import REMEMBERED, REST, Role, Sizes, role_of
from tests.clips import Recipe, make_video


def packets_of(path: Path) -> tuple[Video, list[av.Packet]]:
    video = Video(Opening(url=str(path), is_live=False))
    return video, list(video.packets())


def pictures(video: Video, packets: list[av.Packet]) -> dict[int, np.ndarray]:
    """Return what a fresh decoder makes of the packets, by time stamp."""
    context = av.CodecContext.create(video.codec, "r")
    context.extradata = video.stream.codec_context.extradata
    frames = [frame for each in packets for frame in context.decode(each)] + context.decode(None)
    return {frame.pts: frame.to_ndarray(format="bgr24") for frame in frames}


def roles(video: Video, packets: list[av.Packet]) -> list[Role]:
    return [role_of(memoryview(each), video.codec, video.length_bytes) for each in packets]


@pytest.mark.parametrize("wrapped", ["mp4", "ts"])
@pytest.mark.parametrize(("codec", "more"), [("h264", ""), ("hevc", ""), ("hevc", "temporal-layers=3")])
def test_leaving_out_what_nothing_is_built_on_changes_no_other_picture(tmp_path, codec, more, wrapped):
    """In files and in streams: what remains is decoded to the very same pictures, and half is left out."""
    recipe = Recipe(codec=codec, more=more, between=3, keys_every=20, pictures=40)
    video, packets = packets_of(make_video(tmp_path / f"clip.{wrapped}", recipe))
    assert video.length_bytes == (4 if wrapped == "mp4" else 0), "how units are set apart"
    found = roles(video, packets)
    highest = max(each.layer for each in found)
    kept = [packet for packet, role in zip(packets, found, strict=True) if not role.is_unreferenced(highest)]
    assert all(packet in kept for packet in packets if packet.is_keyframe)
    whole, rest = pictures(video, packets), pictures(video, kept)
    assert len(whole) == 40 and len(rest) == len(kept) <= 25
    assert all(np.array_equal(rest[stamp], whole[stamp]) for stamp in rest)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_without_such_pictures_everything_is_decoded(tmp_path, codec):
    """A camera's usual stream is a chain: each picture is built on the one before."""
    video, packets = packets_of(make_video(tmp_path / "clip.mp4", Recipe(codec=codec, pictures=20)))
    assert [each.is_leaf for each in roles(video, packets)].count(True) <= 1


def test_in_hevc_a_lower_layer_may_serve_a_higher_one():
    """A picture that nothing of its own layer is built on is left out only in the highest layer."""
    leaf = bytes([0, 0, 1, 2 << 1, 2]) + b"slice"  # TSA_N in the second of three layers
    role = role_of(leaf, "hevc")
    assert role == Role(layer=1, is_leaf=True)
    assert role.is_unreferenced(1) and not role.is_unreferenced(2)


@given(
    st.binary(max_size=200), st.sampled_from(["h264", "hevc", "mjpeg", "av1"]), st.sampled_from([0, 1, 2, 4])
)
def test_bytes_that_make_no_sense_are_decoded_or_not_but_never_fail(data, codec, length_bytes):
    """Whatever a broken camera sends is read to its end; of other codecs every packet is decoded."""
    role = role_of(data, codec, length_bytes)
    assert codec in ("h264", "hevc") or role == Role()
    assert 0 <= role.layer <= 6


sizes = st.integers(0, 100_000)


@given(st.lists(sizes, max_size=200))
def test_only_the_newest_sizes_are_remembered(course):
    """However long a camera runs, sixty sizes are kept, and a few packets say nothing yet."""
    known = Sizes()
    for size in course:
        known = known.with_packet(size)
    assert known.recent == tuple(course[-REMEMBERED:])
    assert len(course) >= REST.known_after or not known.is_rise(REST)


@given(st.lists(sizes, max_size=80), st.integers(0, 10**7))
def test_large_packets_tell_nothing_of_a_small_picture(course, pixels):
    """The usual size is one that was there; the larger the picture, the more may be usual."""
    known = Sizes(tuple(course[-REMEMBERED:]))
    assert known.usual in (known.recent or (0,))
    assert known.tells(pixels, REST) == (known.usual <= 0.015 * pixels)
    assert not known.tells(pixels, REST) or known.tells(2 * pixels, REST)


@given(st.integers(0, 50_000), st.integers(0, 3), st.integers(0, 100_000))
def test_a_single_pulse_is_no_rise(usual, pulses, size):
    """Up to three large packets are the encoder's own; steady sizes, however large, are no rise at all."""
    calm = Sizes((usual,) * 40)
    assert not calm.is_rise(REST)
    assert not Sizes((*calm.recent, *[size] * pulses)).is_rise(REST)


@given(st.integers(0, 50_000), st.lists(st.integers(1, 5000), min_size=4, max_size=10))
def test_packets_that_stay_large_are_a_rise(usual, beyond):
    """Four in a row that are well above what is usual wake the scene."""
    bar = round(usual * REST.rise + REST.least_bytes)
    assert Sizes((*[usual] * 40, *[bar + each for each in beyond])).is_rise(REST)
