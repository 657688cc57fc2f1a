"""Can people be recognised where this camera hangs? The judgement of a few seconds, and what to change.

Most of what decides a recognition is decided on the ladder: how large faces are, from where they are seen,
and the light. Advice is given as keys; whoever prints it has the words.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from common.events import CameraReason
from edge_agent.core.capacity import CameraCost
from edge_agent.core.quality import Flaw


class Verdict(StrEnum):
    GOOD = "good"
    USABLE = "usable"
    POOR = "poor"
    UNTRIED = "untried"  # nobody walked past


class Advice(StrEnum):
    """What to change, the most important first."""

    DARK = "dark"
    PLAIN = "plain"
    STILL = "still"
    HIDDEN = "hidden"
    NOBODY = "nobody"
    MAIN_STREAM = "main_stream"
    NEARER = "nearer"
    MODEST = "modest"
    HIGH = "high"
    ASIDE = "aside"
    BLURRED = "blurred"
    FLAT = "flat"
    GLARING = "glaring"
    DIM = "dim"
    INFRARED = "infrared"
    SLOW = "slow"
    SUB_STREAM = "sub_stream"


class Light(StrEnum):
    DARK = "dark"
    DIM = "dim"
    GOOD = "good"
    GLARING = "glaring"


class Sharpness(StrEnum):
    SHARP = "sharp"
    SOFT = "soft"
    BLURRED = "blurred"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitabilityPolicy:
    least_px: float = 40.0  # faces as wide as this match, with luck
    comfortable_px: float = 80.0
    plenty_px: float = 160.0  # half of that would still be comfortable
    small_width: int = 960  # pictures up to this width may be a sub stream
    large_width: int = 1920  # and from this width on cost more than they bring, if faces are plenty
    good_share: float = 0.6  # of the faces that are usable
    usable_share: float = 0.25
    many: float = 0.4  # share of the faces from which a fault of theirs is the camera's
    enough: int = 5  # looks at faces from which it is said how they hold their heads
    aside: float = 1.0  # turn, see geometry.Detection: the nose before one eye
    high: float = 0.68  # nod, see geometry.nod_of(): seen from 20 to 25 degrees above
    dim_level: float = 60.0  # mean grey level of 255
    glaring_level: float = 200.0
    soft: float = 0.012  # see quality.sharpness(); as good_sharpness there
    blurred: float = 0.005  # as min_sharpness there
    slow: float = 0.7  # of the pictures a second that were asked for


SUITABILITY = SuitabilityPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceLook:
    """One face in one picture."""

    side_px: float  # the shorter side of its box
    turn: float
    nod: float | None  # None: the engine's landmarks do not tell
    sharpness: float
    contrast: float
    score: float  # of the detector, 0..1
    flaw: Flaw | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLook:
    """What a few seconds of one camera showed."""

    width: int
    height: int
    pictures: int
    fps: float
    wanted_fps: float
    decode_ms: float  # processor time of one picture that is looked at, with those passed over for it
    level: float  # mean grey level, 0..255
    is_dark: bool  # nearly everywhere, see camera_health.is_dark()
    is_plain: bool  # there is nothing to see, see camera_health.is_featureless()
    is_still: bool  # no two pictures differ
    has_colour: bool
    broke_off: CameraReason = CameraReason.NONE  # why there were no more pictures at the end
    faces: Sequence[FaceLook] = ()
    hidden: int = 0  # faces under the mask or outside the watched part: they do not count
    cost: CameraCost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suitability:
    verdict: Verdict
    advice: tuple[Advice, ...]
    faces: int  # doubtful ones left out: they may be none
    face_px: float | None  # median
    usable_share: float | None  # 0..1
    light: Light
    sharpness: Sharpness | None
    flaws: Mapping[Flaw, int] = field(default_factory=dict)  # faces by the first thing that forbids their use


def suitability(look: CameraLook, policy: SuitabilityPolicy = SUITABILITY) -> Suitability:
    """Return how well people can be recognised by what was seen, and what would make it better."""
    faces = [each for each in look.faces if each.flaw is not Flaw.DOUBTFUL]
    face_px = median(each.side_px for each in faces) if faces else None
    usable = sum(each.flaw is None for each in faces) / len(faces) if faces else None
    light = _light(look, policy)
    return Suitability(
        verdict=_verdict(face_px, usable, look, policy),
        advice=tuple(_advice(look, faces, face_px, light, policy)),
        faces=len(faces),
        face_px=face_px,
        usable_share=usable,
        light=light,
        sharpness=_sharpness(faces, policy),
        flaws=Counter(each.flaw for each in look.faces if each.flaw is not None),
    )


def _verdict(
    face_px: float | None, usable: float | None, look: CameraLook, policy: SuitabilityPolicy
) -> Verdict:
    if look.is_dark or look.is_plain:
        return Verdict.POOR
    if face_px is None or usable is None:
        return Verdict.POOR if look.hidden else Verdict.UNTRIED
    if face_px < policy.least_px or usable < policy.usable_share:
        return Verdict.POOR
    is_good = face_px >= policy.comfortable_px and usable >= policy.good_share
    return Verdict.GOOD if is_good else Verdict.USABLE


def _light(look: CameraLook, policy: SuitabilityPolicy) -> Light:
    if look.is_dark:
        return Light.DARK
    if look.level < policy.dim_level:
        return Light.DIM
    return Light.GLARING if look.level > policy.glaring_level else Light.GOOD


def _sharpness(faces: Sequence[FaceLook], policy: SuitabilityPolicy) -> Sharpness | None:
    """Return how sharp most faces are that are large enough to tell."""
    large = [each.sharpness for each in faces if each.flaw is not Flaw.TOO_SMALL]
    if not large:
        return None
    value = median(large)
    if value < policy.blurred:
        return Sharpness.BLURRED
    return Sharpness.SOFT if value < policy.soft else Sharpness.SHARP


def _advice(
    look: CameraLook,
    faces: Sequence[FaceLook],
    face_px: float | None,
    light: Light,
    policy: SuitabilityPolicy,
) -> list[Advice]:
    holds = {
        Advice.DARK: light is Light.DARK,
        Advice.PLAIN: look.is_plain and not look.is_dark,
        Advice.STILL: look.is_still,
        Advice.HIDDEN: look.hidden > 0 and not faces,
        Advice.NOBODY: not faces and not look.hidden and not look.is_dark and not look.is_plain,
        **_about_size(look, face_px, policy),
        **_about_faces(faces, policy),
        Advice.GLARING: light is Light.GLARING,
        Advice.DIM: light is Light.DIM,
        Advice.INFRARED: not look.has_colour and light is not Light.DARK,
        Advice.SLOW: look.fps < policy.slow * look.wanted_fps,
    }
    explained = {Advice.FLAT} if look.is_dark else set()  # the dark is reason enough
    return [each for each in Advice if holds[each] and each not in explained]


def _about_size(look: CameraLook, face_px: float | None, policy: SuitabilityPolicy) -> dict[Advice, bool]:
    px = policy.comfortable_px if face_px is None else face_px
    is_small, is_sub = px < policy.least_px, look.width <= policy.small_width
    return {
        Advice.MAIN_STREAM: is_small and is_sub,
        Advice.NEARER: is_small and not is_sub,
        Advice.MODEST: policy.least_px <= px < policy.comfortable_px,
        Advice.SUB_STREAM: px >= policy.plenty_px and look.width >= policy.large_width,
    }


def _about_faces(faces: Sequence[FaceLook], policy: SuitabilityPolicy) -> dict[Advice, bool]:
    """Return what is wrong with so many faces that it is not their owners' doing."""
    large = [each for each in faces if each.flaw is not Flaw.TOO_SMALL]
    ahead = [each.nod for each in faces if each.nod is not None and each.turn <= policy.aside]
    return {
        Advice.HIGH: len(ahead) >= policy.enough and median(ahead) > policy.high,
        Advice.ASIDE: _share(each.turn > policy.aside for each in faces) > policy.many,
        Advice.BLURRED: _share(each.flaw is Flaw.BLURRED for each in large) > policy.many,
        Advice.FLAT: _share(each.flaw is Flaw.FLAT for each in large) > policy.many,
    }


def _share(facts: Iterable[bool]) -> float:
    known = list(facts)
    return sum(known) / len(known) if known else 0.0
