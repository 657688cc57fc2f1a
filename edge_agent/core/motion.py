"""Did the picture jump? A cut, a moved camera or a change of light ends what was known about who is where."""

from enum import StrEnum

import numpy as np

THUMBNAIL = (32, 18)  # width, height of the grey picture that is compared

# Correlation of the thumbnails of two samples. At 3 to 15 samples a second cuts lie between -0.2 and 0.25,
# fast pans of a hand-held camera above 0.35, people walking before a fixed camera above 0.9.
CUT_BELOW = 0.3
SHAKEN_BELOW = 0.8


class Scene(StrEnum):
    STEADY = "steady"
    SHAKEN = "shaken"  # look again who is who
    CUT = "cut"  # nobody is where they were


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """Return the THUMBNAIL of a grey picture whose sides are multiples of its own."""
    width, height = THUMBNAIL
    rows, columns = grey.shape[0] // height, grey.shape[1] // width
    return grey.reshape(height, rows, width, columns).mean(axis=(1, 3), dtype=np.float32)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return how alike two grey pictures of one shape are, -1..1, whatever their brightness and contrast."""
    x, y = a.astype(np.float32).ravel(), b.astype(np.float32).ravel()
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    if scale < 1e-3:  # an even picture, e.g. black, is like another even one and like nothing else
        return float(x.std() < 1e-3 and y.std() < 1e-3)
    return float(x @ y) / scale


def scene(before: np.ndarray | None, now: np.ndarray) -> Scene:
    """Return what happened between two samples, given their thumbnails; before is None for the first."""
    likeness = 1.0 if before is None else correlation(before, now)
    if likeness < CUT_BELOW:
        return Scene.CUT
    return Scene.SHAKEN if likeness < SHAKEN_BELOW else Scene.STEADY
