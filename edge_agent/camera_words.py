"""The camera report of `hadir agent check`, in words that a technician on a ladder understands."""

from collections.abc import Iterator, Sequence

from edge_agent.core.capacity import CameraCost, Capacity, Limit
from edge_agent.core.quality import Flaw
from edge_agent.core.suitability import SUITABILITY, Advice, CameraLook, Light, Sharpness, Suitability
from edge_agent.live_words import plain

WORTH_A_WORD = 0.2  # of the processors
MOST_NAMES = 3  # of programs
LEAST, COMFORTABLE = f"{SUITABILITY.least_px:.0f} px", f"{SUITABILITY.comfortable_px:.0f} px"

SIZE = f"Faces are {{face}} wide: {LEAST} is the least for a good match, {COMFORTABLE} is comfortable."

ADVICE = {
    Advice.DARK: (
        "The picture is dark: nobody can be recognised in it. Is the lens free? Then give it "
        "more light, or switch on the camera's infrared."
    ),
    Advice.PLAIN: "The picture shows hardly anything. Is the lens covered, dirty or far out of focus?",
    Advice.STILL: (
        "Nothing at all changes in the picture, not even its noise. Is it a still, or has it frozen?"
    ),
    Advice.HIDDEN: (
        "Every face that was seen is under `mask` or outside `watch`: nobody will ever be recognised here. "
        "Correct them in the settings; corners go from the upper left."
    ),
    Advice.NOBODY: (
        "No face was seen. Let somebody walk past while this runs; --seconds 30 gives more time."
    ),
    Advice.MAIN_STREAM: SIZE + " Use the main stream; if they stay small, bring the camera nearer.",
    Advice.NEARER: SIZE + " Bring the camera nearer, zoom in, or choose a larger picture in the camera's "
    "settings.",
    Advice.MODEST: SIZE + " It will do; nearer, or zoomed in a little, is surer.",
    Advice.HIGH: (
        "Most faces look down on the floor, or the camera hangs too high: lower it, or move it"
        " further back so that it looks along the way."
    ),
    Advice.ASIDE: (
        "Most faces look aside. Point the camera along the way people walk, so that they come towards it."
    ),
    Advice.BLURRED: (
        "Faces are blurred. Focus and clean the lens; if only walking people blur, set a "
        "shutter of 1/100 s or faster."
    ),
    Advice.FLAT: (
        "Faces have hardly any contrast. Keep windows and lamps out from behind people, or "
        "switch on the camera's WDR."
    ),
    Advice.GLARING: "The picture is glaring. Turn the camera away from the light, or lower its exposure.",
    Advice.DIM: "The picture is dim. More light on the faces makes matches surer.",
    Advice.INFRARED: (
        "The picture has no colour, as by infrared: matches are weaker than by day. Light is better."
    ),
    Advice.SLOW: (
        "Only {fps:.1f} pictures a second arrive, {wanted:g} are wanted. Raise the camera's "
        "frame rate, or look at the network and at this box's load."
    ),
    Advice.SUB_STREAM: (
        "Faces are {face} wide in a very large picture. Use the sub stream: half the size "
        "matches as well and costs a quarter."
    ),
}
FLAWS = {
    Flaw.DOUBTFUL: "perhaps no face",
    Flaw.TOO_SMALL: "too small",
    Flaw.TURNED: "turned away",
    Flaw.BLURRED: "blurred",
    Flaw.FLAT: "without contrast",
}
LIGHT = {Light.DARK: "dark", Light.DIM: "dim", Light.GOOD: "well lit", Light.GLARING: "glaring"}
SHARPNESS = {Sharpness.SHARP: "sharp", Sharpness.SOFT: "a little soft", Sharpness.BLURRED: "blurred"}


def picture_words(look: CameraLook, judged: Suitability) -> str:
    """Return what the picture is like."""
    colour = "colour" if look.has_colour else "no colour (infrared?)"
    faces = f", faces {SHARPNESS[judged.sharpness]}" if judged.sharpness else ""
    broke_off = f"; then it broke off ({look.broke_off.value})" if look.broke_off else ""
    return (
        f"{look.width}x{look.height}, {look.fps:.1f} pictures/s, decoding {look.decode_ms:.0f} ms a picture;"
        f" {LIGHT[judged.light]}, {colour}{faces}{broke_off}"
    )


def face_words(look: CameraLook, judged: Suitability) -> str:
    """Return how the faces were, and what it amounts to."""
    hidden = f"; {look.hidden} more hidden by mask or watch" if look.hidden else ""
    if judged.face_px is None or judged.usable_share is None:
        return f"{judged.verdict.value}: no face in {look.pictures} pictures{_reasons(judged)}{hidden}"
    return (
        f"{judged.verdict.value}: {judged.faces} looks at faces in {look.pictures} pictures, "
        f"{judged.face_px:.0f} px wide (median), {judged.usable_share:.0%} usable{_reasons(judged)}{hidden}"
    )


def _reasons(judged: Suitability) -> str:
    counts = sorted(judged.flaws.items(), key=lambda each: -each[1])
    words = ", ".join(f"{FLAWS[flaw]} {count}" for flaw, count in counts)
    return f" ({words})" if words else ""


def advice_words(look: CameraLook, judged: Suitability) -> Iterator[str]:
    """Yield what to change, the most important first."""
    values = {
        "face": f"{judged.face_px or 0:.0f} px",
        "fps": look.fps,
        "wanted": look.wanted_fps,
    }
    for advice in judged.advice:
        yield ADVICE[advice].format(**values)


def _cost(cost: CameraCost | None) -> dict[str, object] | None:
    if cost is None:
        return None
    return {
        "busy_ms": round(cost.busy_ms, 2),
        "quiet_ms": round(cost.quiet_ms, 2),
        "is_seen": cost.is_seen,
        "busy": round(cost.busy, 4),
        "usual": round(cost.usual, 4),
        "quiet": round(cost.quiet, 4),
    }


def capacity_words(capacity: Capacity, cameras: int, like: str) -> str:
    """Return how many more cameras the box bears."""
    are = f"{cameras} camera{'' if cameras == 1 else 's'} take{'s' if cameras == 1 else ''}"
    taken = f"the {are} {capacity.taken:.2f} processors as usual"
    if not capacity.fits:
        return (
            f"{taken}: more than this box has. Fewer, smaller or slower streams (sample_fps), or a second box"
        )
    limit = "; memory is what limits it" if capacity.limit is Limit.MEMORY else ""
    return (
        f"{taken}; about {capacity.usual} more like {like} ({capacity.crowded} if people were before all "
        f"cameras at once){limit}"
    )


def others_words(
    processors: int, idle: float, busiest: Sequence[tuple[str, float]], *, is_running: bool
) -> str:
    """Return what else takes the processors, by name, when that is a good part of them; else nothing."""
    taken = max(0.0, processors - idle)
    if taken < WORTH_A_WORD * processors:
        return ""
    names = ", ".join(f"{plain(name, 20)} {worth:.1f}" for name, worth in busiest[:MOST_NAMES])
    who = "the running agent and other work take" if is_running else "other work takes"
    return f"; {who} {taken:.1f} of the {processors} processors now" + (f" ({names})" if names else "")


def numbers(look: CameraLook, judged: Suitability) -> dict[str, object]:
    """Return the report for a machine."""
    return {
        "width": look.width,
        "height": look.height,
        "pictures": look.pictures,
        "fps": round(look.fps, 2),
        "decode_ms": round(look.decode_ms, 1),
        "level": round(look.level, 1),
        "light": judged.light.value,
        "has_colour": look.has_colour,
        "faces": judged.faces,
        "face_px": None if judged.face_px is None else round(judged.face_px, 1),
        "usable": None if judged.usable_share is None else round(judged.usable_share, 3),
        "flaws": {flaw.value: count for flaw, count in judged.flaws.items()},
        "sharpness": judged.sharpness.value if judged.sharpness else None,
        "hidden": look.hidden,
        "cost": _cost(look.cost),
        "verdict": judged.verdict.value,
        "advice": [each.value for each in judged.advice],
    }
