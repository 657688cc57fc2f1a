"""Which cameras a new configuration touches, and whether it is to stay: rolled back when it costs a picture.

A configuration from the dashboard is on trial until it has proved itself. It goes back to the last good one
when a camera that worked before has no picture by the end of the trial. A camera that is new, or that had no
picture before either, condemns nothing: the others keep what is right for them, and the error is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from common.camera_settings import CameraConfig
from common.events import CameraReason, ConfigError

PATIENCE_S = 120.0
BOOT_PATIENCE_S = 300.0  # after a power cut the cameras need their time too
SETTLED_SHARE = 0.25  # of the patience: an untouched camera must have held out for so long
MOST_STARTS = 3  # of the agent with a configuration that never got so far as to prove itself


@dataclass(frozen=True, slots=True)
class Changes:
    """What leads from some cameras to others. A camera that changed is stopped and started."""

    stop: tuple[str, ...]
    start: tuple[CameraConfig, ...]


def changes(before: Iterable[CameraConfig], after: Iterable[CameraConfig]) -> Changes:
    """Return the least that has to be stopped and started; what stays as it is, is left in peace."""
    old = {each.camera_id: each for each in before}
    new = {each.camera_id: each for each in after}
    return Changes(
        stop=tuple(name for name, each in old.items() if new.get(name) != each),
        start=tuple(each for name, each in new.items() if old.get(name) != each),
    )


class Stage(StrEnum):
    LOCAL = "local"  # nothing of the dashboard's is in force
    TRYING = "trying"
    GOOD = "good"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A generation as the server sent it."""

    gen: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """All that an agent remembers of configurations, on its disk. Never goes back to an older generation."""

    tried: int = 0  # the newest generation that was tried, whatever became of it
    stage: Stage = Stage.LOCAL
    newest: Document | None = None  # the one tried
    good: Document | None = None  # the last that proved itself; None: the box's own file
    worked: tuple[str, ...] = ()  # cameras that had a picture when the trial began
    starts: int = 0  # of the agent during this trial
    errors: tuple[ConfigError, ...] = ()

    @property
    def in_force(self) -> Document | None:
        """The generation to run; None: the box's own file."""
        match self.stage:
            case Stage.TRYING | Stage.GOOD:
                return self.newest
            case Stage.ROLLED_BACK:
                return self.good
        return None


def is_wanted(gen: int, held: Held) -> bool:
    """Tell whether a manifest's generation is to be fetched. A crashed broker may repeat an old manifest."""
    return gen > held.tried


def tried(
    held: Held, document: Document, worked: Iterable[str], notices: tuple[ConfigError, ...] = ()
) -> Held:
    """Begin a trial. A change that comes during a trial must also bring back what worked before that one.

    notices are told whatever comes of it, e.g. of settings that this agent does not know.
    """
    if not is_wanted(document.gen, held):
        raise ValueError(f"generation {document.gen} is not newer than {held.tried}")
    still = held.worked if held.stage is Stage.TRYING else ()
    good = held.newest if held.stage is Stage.GOOD else held.good
    return Held(
        tried=document.gen,
        stage=Stage.TRYING,
        newest=document,
        good=good,
        worked=tuple(sorted({*still, *worked})),
        errors=notices,
    )


def refused(held: Held, gen: int, errors: tuple[ConfigError, ...]) -> Held:
    """Note that a generation cannot be used at all; what is in force stays."""
    return replace(held, tried=max(gen, held.tried), errors=errors)


def proved(held: Held, errors: tuple[ConfigError, ...] = ()) -> Held:
    """End a trial well: this is the one to come back to. Errors of cameras that never worked are told."""
    told = (*held.errors, *errors)
    return replace(held, stage=Stage.GOOD, good=None, worked=(), starts=0, errors=told)


def rolled_back(held: Held, errors: tuple[ConfigError, ...]) -> Held:
    return replace(held, stage=Stage.ROLLED_BACK, newest=None, worked=(), starts=0, errors=errors)


def started(held: Held) -> Held:
    """Count a start of the agent; one that keeps ending during a trial does not get out of it otherwise."""
    if held.stage is not Stage.TRYING:
        return held
    if held.starts >= MOST_STARTS:
        words = f"the agent ended {held.starts} times with it before it could prove itself"
        return rolled_back(held, (ConfigError(key="agent", words=words),))
    return replace(held, starts=held.starts + 1)


@dataclass(frozen=True, slots=True)
class Look:
    """A camera at one moment of a trial."""

    has_picture: bool
    since_s: float  # for how long that has been so
    reason: CameraReason = CameraReason.NONE


@dataclass(frozen=True, slots=True)
class Trial:
    began_s: float  # on a steady clock
    patience_s: float
    worked: frozenset[str]  # must have a picture again


class Outcome(StrEnum):
    WAITING = "waiting"
    GOOD = "good"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class Judgement:
    outcome: Outcome
    errors: tuple[ConfigError, ...] = ()


def judged(trial: Trial, looks: Mapping[str, Look], now_s: float) -> Judgement:
    """Decide on a configuration that was applied when the trial began; looks are of all its cameras.

    Good before the end as soon as every camera has had a picture for a while.
    """
    settled_s = trial.patience_s * SETTLED_SHARE
    is_over = now_s - trial.began_s >= trial.patience_s
    if not is_over:
        is_calm = now_s - trial.began_s >= settled_s
        is_good = is_calm and all(look.has_picture for look in looks.values())
        return Judgement(Outcome.GOOD if is_good else Outcome.WAITING)
    blind = {name: look for name, look in looks.items() if not look.has_picture}
    dead = {name: look for name, look in blind.items() if name in trial.worked and look.since_s >= settled_s}
    if dead:
        return Judgement(Outcome.ROLL_BACK, errors_of(dead))
    return Judgement(Outcome.GOOD, errors_of(blind))


def errors_of(blind: Mapping[str, Look]) -> tuple[ConfigError, ...]:
    """Return what to tell of cameras without a picture."""
    return tuple(
        ConfigError(key=f"cameras.{name}", words=f"no picture ({look.reason.value or 'timeout'})")
        for name, look in sorted(blind.items())
    )


def still_blind(errors: tuple[ConfigError, ...], looks: Mapping[str, Look]) -> tuple[ConfigError, ...]:
    """Return errors without those of cameras that have got a picture since."""
    seeing = {f"cameras.{name}" for name, look in looks.items() if look.has_picture}
    return tuple(each for each in errors if each.key not in seeing)
