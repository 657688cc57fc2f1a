"""Did the picture jump? A cut, a moved camera or a switch to infra-red ends what was known about who is where."""

import numpy as np

THUMBNAIL = (32, 18)  # width, height of the grey picture that is compared
CUT_BELOW = 0.5  # correlation of two samples' thumbnails; see docs of the measurement in the tests


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return how alike two grey pictures of one shape are, -1..1, whatever their brightness and contrast."""
    x, y = a.astype(np.float32).ravel(), b.astype(np.float32).ravel()
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    if scale < 1e-6:  # an even picture, e.g. black, is like another even one and like nothing else
        return 1.0 if x.std() < 1e-6 and y.std() < 1e-6 else 0.0
    return float(x @ y) / scale


def is_cut(before: np.ndarray | None, now: np.ndarray) -> bool:
    """Tell whether the scene changed at once between two samples of it, given their thumbnails."""
    return before is not None and correlation(before, now) < CUT_BELOW
