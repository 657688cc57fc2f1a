"""Decoding as sparing as it is, on real files: the right pictures at the right times, and no others."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from common.events import CameraReason
from common.ids import CameraId
from edge_agent.adapters.camera_reader import Due, recorded
from edge_agent.adapters.decoding import MOST_BAD, Decoder, Opening, SourceError, Video, picture_of
from edge_agent.adapters.opencv import cv2
from edge_agent.adapters.video_source import VideoSource
from edge_agent.config import CameraConfig
from edge_agent.core.attention import GREY
from edge_agent.core.packets import REST
from edge_agent.picture import ColourPicture
from tests.clips import NTSC, Recipe, make_video


def opened(path: Path) -> Video:
    return Video(Opening(url=str(path), is_live=False))


def opencv_pictures(path: Path) -> list[np.ndarray]:
    capture, found = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (read := capture.read())[0]:
        found.append(read[1])
    return found


def never() -> bool:
    return False


@pytest.mark.parametrize("between", [0, 2])
@pytest.mark.parametrize("fps", [15, 25, NTSC])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_samples_come_at_the_times_asked_for_and_are_opencv_s_pictures(tmp_path, codec, fps, between):
    """Five a second of any rate, with and without B-frames, byte for byte what OpenCV reads there."""
    pictures = round(3 * fps)
    recipe = Recipe(codec=codec, fps=fps, between=between, pictures=pictures, keys_every=25)
    path = make_video(tmp_path / "clip.mp4", recipe)
    theirs, video = opencv_pictures(path), opened(path)
    samples = list(recorded(video, 5.0, never))
    assert len(theirs) == pictures and len(samples) == 15
    for number, (picture, at_s) in enumerate(samples):
        assert -1e-3 <= at_s - number / 5 < 1 / fps
        index = round(at_s * fps)
        assert abs(index / fps - at_s) < 1e-3, "its time is that of a picture of the file"
        np.testing.assert_array_equal(picture.cut().image, theirs[index])
    video.close()


@pytest.mark.parametrize(
    ("pixels", "size"),
    [
        ("yuv420p", (1280, 720)),
        ("yuvj420p", (320, 180)),
        ("yuv422p", (320, 180)),
        ("yuvj422p", (320, 180)),
        ("yuv444p", (322, 182)),
        ("yuv420p10le", (320, 180)),
    ],
)
def test_colours_are_those_of_opencv_s_reader(tmp_path, pixels, size):
    """Cameras send full and limited range, 4:2:0 and more: a face has one embedding, whoever reads it."""
    path = make_video(tmp_path / "clip.mp4", Recipe(pixels=pixels, size=size, pictures=4))
    ours = [picture for picture, _ in recorded(opened(path), 15.0, never)]
    for picture, image in zip(ours, opencv_pictures(path), strict=True):
        np.testing.assert_array_equal(picture.cut().image, image)
        assert (picture.width, picture.height) == size
        luma, seen = picture.grey(GREY), ColourPicture(image).grey(GREY)
        assert np.corrcoef(luma.ravel(), seen.ravel())[0, 1] > 0.98, "the grey picture shows the same"


def test_what_no_sample_needs_is_not_decoded(tmp_path):
    """Of a video with B-frames, fewer pictures are decoded than there are, and the samples are the same."""
    path = make_video(tmp_path / "clip.mp4", Recipe(between=3, pictures=60))
    sparing, thorough = opened(path), opened(path)
    decoder = Decoder(sparing)
    due = Due(1.0, 0.0)
    for packet in sparing.packets():
        at_s = sparing.at_s(packet.pts) or 0.0
        if due.is_at(at_s):
            due.met(at_s)
        decoder.feed(packet, is_wanted=due.is_at(at_s), is_idle=False, at_s=at_s)
    assert decoder.skipped >= 20 and decoder.decoded + decoder.skipped == 60
    some, all_of_it = (
        list(recorded(video, 1.0, never, skips=skips))
        for video, skips in ((opened(path), True), (thorough, False))
    )
    assert [at_s for _, at_s in some] == [at_s for _, at_s in all_of_it]
    for (a, _), (b, _) in zip(some, all_of_it, strict=True):
        np.testing.assert_array_equal(a.cut().image, b.cut().image)


# Small pictures full of texture have large packets for their size, which would forbid the rest.
ANY_SIZE = replace(REST, most_per_pixel=10.0)

Fed = tuple[float, bool, list[av.VideoFrame]]  # seconds, whether it was at rest after it, what came out


def fed(decoder: Decoder, video: Video, idle: tuple[float, float]) -> Iterator[Fed]:
    """Feed a file's packets, the scene idle from idle[0] until idle[1]."""
    for packet in video.packets():
        at_s = video.at_s(packet.dts) or 0.0
        frames = decoder.feed(packet, is_wanted=True, is_idle=idle[0] <= at_s < idle[1], at_s=at_s)
        yield at_s, decoder.is_resting, frames


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("between", [0, 2])
@pytest.mark.parametrize("wake_s", [5.0, 5.5, 5.95])
def test_at_rest_only_key_frames_are_decoded_and_waking_misses_nothing(tmp_path, codec, between, wake_s):
    """On waking the picture is the one that a decoder that never rested shows, from the first packet on."""
    path = make_video(tmp_path / "clip.mp4", Recipe(codec=codec, between=between, pictures=120))
    resting, awake = opened(path), opened(path)
    decoder = Decoder(resting, rest=ANY_SIZE)
    course = zip(fed(decoder, resting, (2.5, wake_s)), fed(Decoder(awake), awake, (99.0, 99.0)), strict=True)
    at_rest, woken = [], []
    for (at_s, is_resting, ours), (_, _, theirs) in course:
        if is_resting:
            at_rest += ours
        elif at_s >= wake_s and theirs:
            woken.append((ours[-1], theirs[-1]))
    shown = [resting.at_s(each.pts) for each in at_rest]
    assert shown and all(each.key_frame for each in at_rest)
    assert [round(each or 0.0, 3) for each in shown] == [3.0, 4.0, 5.0, 6.0][: len(shown)]
    assert len(woken) >= 25
    for ours, theirs in woken:
        assert ours.pts == theirs.pts
        np.testing.assert_array_equal(picture_of(ours).cut().image, picture_of(theirs).cut().image)


def test_rest_costs_a_key_frame_a_second(tmp_path):
    """Ten idle seconds of fifteen pictures each cost ten pictures and a few that were begun before."""
    path = make_video(tmp_path / "clip.mp4", Recipe(pictures=225, moves=lambda number: number < 15))
    video = opened(path)
    decoder = Decoder(video)
    rested = sum(is_resting for _, is_resting, _ in fed(decoder, video, (5.0, 99.0)))
    assert rested == 150 and decoder.decoded == 75 + 10


def test_a_picture_full_of_noise_is_never_at_rest(tmp_path):
    """Where every packet is large, one that tells of somebody would not stand out."""
    video = opened(make_video(tmp_path / "clip.mp4", Recipe(pictures=90)))
    decoder = Decoder(video)
    assert not any(is_resting for at_s, is_resting, _ in fed(decoder, video, (0.0, 99.0)) if at_s > 1)


def test_where_a_key_frame_alone_shows_nothing_everything_is_decoded(tmp_path):
    """Streams that refresh bit by bit have key frames that show nothing by themselves."""
    recipe = Recipe(pictures=225, moves=lambda number: number < 15, is_refreshed_bit_by_bit=True)
    video = opened(make_video(tmp_path / "clip.ts", recipe))
    decoder = Decoder(video, rest=ANY_SIZE)
    shown = [len(frames) for at_s, _, frames in fed(decoder, video, (3.0, 99.0)) if at_s > 6]
    assert sum(shown) >= 0.9 * len(shown) > 0


def test_packets_that_grow_wake_the_scene(tmp_path):
    """Somebody walks in between two key frames: pictures come again before anybody asked for them."""
    still = (45, 130)  # pictures in which nothing moves
    recipe = Recipe(pictures=150, keys_every=30, moves=lambda number: not still[0] <= number < still[1])
    video = opened(make_video(tmp_path / "clip.mp4", recipe))
    decoder = Decoder(video)
    awake = [at_s for at_s, is_resting, _ in fed(decoder, video, (4.0, 99.0)) if not is_resting and at_s > 6]
    assert awake and 130 / 15 <= awake[0] <= 135 / 15 + 0.1


@pytest.mark.parametrize("keys_every", [45, 75])
def test_a_camera_with_rare_key_frames_is_never_at_rest(tmp_path, keys_every):
    """With three seconds and more between them nobody would be seen for as long."""
    video = opened(make_video(tmp_path / "clip.mp4", Recipe(pictures=180, keys_every=keys_every)))
    decoder = Decoder(video)
    assert not any(is_resting for _, is_resting, _ in fed(decoder, video, (0.0, 99.0)))
    assert decoder.decoded == 180


def broken(packet: av.Packet, rng: np.random.Generator, flips: int) -> av.Packet:
    """Return a copy of packet with some of its bytes, the first ones excepted, changed."""
    data = bytearray(bytes(packet))
    for place in rng.integers(12, max(13, len(data)), flips):
        data[min(place, len(data) - 1)] ^= int(rng.integers(1, 256))
    copy = av.Packet(bytes(data))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    return copy


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_corrupt_packets_neither_crash_nor_stop_the_stream(tmp_path, codec, seed):
    """Every third packet of two seconds is damaged; afterwards the pictures are the right ones again."""
    path, rng = (
        make_video(tmp_path / "clip.mp4", Recipe(codec=codec, pictures=90)),
        np.random.default_rng(seed),
    )
    video, right = opened(path), opencv_pictures(path)
    decoder = Decoder(video)
    shown: dict[int, np.ndarray] = {}
    for number, packet in enumerate(video.packets()):
        is_bad = 15 <= number < 45 and number % 3 == 0
        sent = broken(packet, rng, 20) if is_bad else packet
        frames = decoder.feed(sent, is_wanted=True, is_idle=False, at_s=number / 15)
        shown |= {round((video.at_s(each.pts) or 0.0) * 15): picture_of(each).cut().image for each in frames}
    assert set(range(60, 88)) <= set(shown), "it goes on"
    assert all(np.array_equal(shown[number], right[number]) for number in range(60, 88))


def test_nothing_but_damage_is_an_error_that_opens_the_camera_anew(tmp_path):
    """More than fifty packets in a row without a whole picture: the reason is `decode`."""
    video = opened(make_video(tmp_path / "clip.mp4", Recipe(pictures=120)))
    decoder, rng, fed_so_far = Decoder(video), np.random.default_rng(5), 0
    with pytest.raises(SourceError) as refused:
        for packet in video.packets():
            data = bytes(rng.integers(0, 256, packet.size, dtype=np.uint8))
            junk = av.Packet(data)
            junk.pts, junk.dts = packet.pts, packet.dts
            fed_so_far += 1
            decoder.feed(junk, is_wanted=True, is_idle=False, at_s=fed_so_far / 15)
    assert refused.value.reason is CameraReason.DECODE and fed_so_far == MOST_BAD + 1


@pytest.mark.parametrize("name", ["sound.wav", "words.mp4", "empty.mp4"])
def test_a_file_without_a_picture_is_refused_and_closed(tmp_path, name):
    """Sound alone, text and nothing: a SourceError that says `decode`, and no file is left open."""
    path = tmp_path / name
    path.write_bytes(b"this is no video" * 50 if name == "words.mp4" else b"")
    if name == "sound.wav":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = 8000, Fraction(1, 8000), 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    with pytest.raises(SourceError) as refused:
        opened(path)
    assert refused.value.reason is CameraReason.DECODE
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not any(str(path) == str(each.readlink()) for each in links if each.exists())


def test_a_mask_is_black_before_anything_looks(tmp_path):
    """What the masks cover, and what two of them share, is black in colours, in grey and in every cut."""
    path = make_video(tmp_path / "clip.mp4", Recipe(pictures=30))
    left = ((0.0, 0.0), (0.6, 0.0), (0.6, 0.6), (0.0, 0.6))
    right = ((0.4, 0.4), (1.0, 0.4), (1.0, 1.0), (0.4, 1.0))
    camera = CameraConfig(
        camera_id=CameraId("gate"), name="Gate", url=str(path), zone="z", sample_fps=15.0, mask=(left, right)
    )
    source = VideoSource(camera)
    source.start()
    try:
        frame = source.take(5)
    finally:
        source.stop()
    assert frame is not None
    image, grey = frame.picture.cut().image, frame.picture.grey((160, 96))
    for x, y in (
        (5, 5),
        (50, 50),
        (90, 50),
        (80, 48),
        (150, 90),
        (70, 40),
    ):  # those in the middle are in both
        assert not image[y, x].any() and grey[y, x] <= 1
    assert image[80, 20].any() and image[10, 140].any(), "beside the masks the picture is there"


def test_due_never_asks_for_more_than_was_asked_for():
    """Five a second stay five a second over a minute of 29.97, also after a pause."""
    due, taken = Due(0.2, 0.0), []
    for number in range(1800):
        now_s = number / 29.97 + (10.0 if number >= 900 else 0.0)
        if due.is_at(now_s):
            due.met(now_s)
            taken.append(now_s)
    assert abs(len(taken) - 5 * 1800 / 29.97) <= 2
    assert min(later - earlier for earlier, later in zip(taken, taken[8:], strict=False)) >= 1.0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_an_ffmpeg_beside_us_gives_the_very_same_pictures(tmp_path, codec):
    """Also of the first key frame, which it once threw away; the newest eight are kept."""
    path = make_video(tmp_path / "clip.mp4", Recipe(codec=codec, pictures=8, keys_every=100))
    video = Video(Opening(url=str(path), is_live=False, decode="ffmpeg"))
    frames = [frame for packet in video.packets() for frame in video.context.decode(packet)]
    frames += video.drained()
    for frame, image in zip(frames, opencv_pictures(path), strict=True):
        np.testing.assert_array_equal(picture_of(frame).cut().image, image)
