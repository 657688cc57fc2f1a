"""The picture of a calibration: an SVG file, written by hand because the edge has no plotting library."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from edge_agent.calibration_report import Calibration, percent
from edge_agent.core.calibration import shares_at_or_above

WIDTH, HEIGHT = 960, 660
LEFT, RIGHT = 84, 924
BARS = (112, 318)  # top and bottom of the histograms
CURVES = (372, 584)  # and of the error rates
BINS, SAMPLES = 60, 420
STYLE = """
  svg { --paper: #ffffff; --ink: #1f2933; --faint: #5c6773; --line: #dde2e7;
        --genuine: #0067a8; --impostor: #c4500a; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #161b21; --ink: #e8edf2; --faint: #a3afbb; --line: #323b45;
          --genuine: #6cb8f0; --impostor: #ff9d5c; }
  }
  text { font: 13px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: var(--ink); }
  .title { font-size: 19px; font-weight: 600; }
  .faint { fill: var(--faint); }
  .paper { fill: var(--paper); }
  .grid { stroke: var(--line); stroke-width: 1; }
  .axis { stroke: var(--faint); stroke-width: 1; }
  .bar { fill-opacity: 0.6; }
  .curve { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
  .genuine { fill: var(--genuine); }
  .impostor { fill: var(--impostor); }
  .curve.genuine { fill: none; stroke: var(--genuine); }
  .curve.impostor { fill: none; stroke: var(--impostor); stroke-dasharray: 7 3; }
  .threshold { stroke: var(--ink); stroke-width: 1.8; }
  .own { stroke: var(--faint); stroke-width: 1.4; stroke-dasharray: 3 4; }
  .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """Similarities to pixels, left to right."""

    low: float
    high: float
    step: float  # between the numbers on the axis

    def x(self, similarity: float) -> float:
        return LEFT + (similarity - self.low) / (self.high - self.low) * (RIGHT - LEFT)

    def marks(self) -> list[float]:
        count = round((self.high - self.low) / self.step)
        return [round(self.low + number * self.step, 3) for number in range(count + 1)]


def plot_of(calibration: Calibration) -> str:
    """Return an SVG document: both histograms, FMR and FNMR by threshold, and the proposed threshold."""
    counted = calibration.judgement.comparisons
    genuine, impostor, proposal = counted.genuine, counted.impostor, calibration.proposal
    scale = _scale([*genuine.tolist(), *impostor.tolist(), proposal.threshold, proposal.default])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" aria-labelledby="title about">',
        '<title id="title">Calibration of the match threshold</title>',
        f'<desc id="about">{escape(_about(calibration))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        *_heading(calibration),
        *_histograms(scale, genuine, impostor),
        *_curves(scale, genuine, impostor, proposal.target),
        *_similarity_axis(scale),
        *_thresholds(scale, proposal.threshold, proposal.default),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _about(calibration: Calibration) -> str:
    here = calibration.at(calibration.proposal.threshold)
    return (
        f"Proposed threshold {here.threshold:g}: FMR {percent(here.fmr.value)},"
        f" FNMR {percent(here.fnmr.value)}."
    )


def _scale(similarities: Sequence[float]) -> Scale:
    low, high = min(similarities), max(similarities)
    step = next((each for each in (0.005, 0.01, 0.02, 0.05, 0.1) if (high - low) / each <= 10), 0.2)
    low, high = math.floor(low / step - 0.2) * step, math.ceil(high / step + 0.2) * step
    return Scale(round(low, 3), round(high, 3), step)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _heading(calibration: Calibration) -> Iterator[str]:
    counted = calibration.judgement.comparisons
    yield _text(LEFT, 36, "How alike are one person's photos, and different people's?", "title")
    yield _text(LEFT, 58, f"{calibration.model_id} — {_about(calibration)}", "faint")
    keys = (
        ("genuine", f"genuine: a photo and its owner's others ({len(counted.genuine)}); FNMR"),
        ("impostor", f"impostor: different people ({len(counted.impostor)}); FMR"),
    )
    x = LEFT
    for kind, words in keys:
        yield f'<rect class="bar {kind}" x="{x}" y="75" width="14" height="14" rx="2"/>'
        yield f'<path class="curve {kind}" d="M{x + 20} 82h24"/>'
        yield _text(x + 51, 87, words)
        x += 420


def _histograms(scale: Scale, genuine: np.ndarray, impostor: np.ndarray) -> Iterator[str]:
    top, bottom = BARS
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    shares = [
        np.histogram(each, edges)[0] / max(1, len(each)) for each in (impostor, genuine)
    ]  # each of its own total, so that many impostors do not hide few genuine
    highest = max(0.01, *(float(each.max()) for each in shares))
    step = next(each for each in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if highest / each <= 5)
    ceiling = math.ceil(highest / step) * step
    for number in range(round(ceiling / step) + 1):
        y = bottom - number * step / ceiling * (bottom - top)
        yield _line(LEFT, y, RIGHT, y, "grid")
        yield _text(LEFT - 8, y + 4, f"{100 * number * step:g} %", "faint", "end")
    yield _side_title((top + bottom) / 2, "share of the comparisons")
    width = (RIGHT - LEFT) / BINS
    for kind, bars in zip(("impostor", "genuine"), shares, strict=True):
        for number, share in enumerate(bars.tolist()):
            if share:
                tall = share / ceiling * (bottom - top)
                yield (
                    f'<rect class="bar {kind}" x="{LEFT + number * width + 0.5:.1f}" y="{bottom - tall:.1f}"'
                    f' width="{width - 1:.1f}" height="{tall:.1f}"/>'
                )
    yield _line(LEFT, bottom, RIGHT, bottom, "axis")


def _curves(scale: Scale, genuine: np.ndarray, impostor: np.ndarray, target: float) -> Iterator[str]:
    """Draw the error rates on a logarithmic axis, whose lowest line is none at all."""
    top, bottom = CURVES
    finest = max(len(genuine), len(impostor), 1 / target)  # trials; the target's line is always there
    decades = min(5, max(2, math.ceil(math.log10(finest) - 1e-9)))

    def y(share: float) -> float:
        depth = min(decades + 0.3, -math.log10(share)) if share > 0 else decades + 0.6
        return top + depth / (decades + 0.6) * (bottom - top)

    for decade in range(decades + 1):
        yield _line(LEFT, y(10**-decade), RIGHT, y(10**-decade), "grid")
        yield _text(LEFT - 8, y(10**-decade) + 4, f"{10 ** (2 - decade):g} %", "faint", "end")
    yield _text(LEFT - 8, bottom + 4, "0", "faint", "end")
    yield _side_title((top + bottom) / 2, "error rate")
    thresholds = np.linspace(scale.low, scale.high, SAMPLES)
    rates = {"impostor": (impostor, shares_at_or_above(impostor, thresholds.tolist()))}
    rates["genuine"] = (genuine, 1 - shares_at_or_above(genuine, thresholds.tolist()))
    for kind, (similarities, shares) in rates.items():
        if len(similarities):
            points = zip(thresholds.tolist(), shares.tolist(), strict=True)
            path = " ".join(f"{scale.x(threshold):.1f},{y(share):.1f}" for threshold, share in points)
            yield f'<polyline class="curve {kind}" points="{path}"/>'
    if target >= 10**-decades:
        yield _line(LEFT, y(target), RIGHT, y(target), "own")
        yield _text(LEFT + 6, y(target) - 5, f"FMR asked for: {100 * target:g} %", "faint halo")
    yield _line(LEFT, bottom, RIGHT, bottom, "axis")


def _side_title(y: float, words: str) -> str:
    turned = f'transform="translate(22 {y:.0f}) rotate(-90)"'
    return f'<text class="faint" {turned} text-anchor="middle">{escape(words)}</text>'


def _similarity_axis(scale: Scale) -> Iterator[str]:
    for mark in scale.marks():
        for bottom in (BARS[1], CURVES[1]):
            yield _line(scale.x(mark), bottom, scale.x(mark), bottom + 5, "axis")
            yield _text(scale.x(mark), bottom + 20, f"{mark:g}", "faint", "middle")
    yield _text((LEFT + RIGHT) / 2, CURVES[1] + 44, "similarity (cosine), and threshold", "faint", "middle")


def _thresholds(scale: Scale, proposed: float, own: float) -> Iterator[str]:
    """Draw the proposed threshold through both panels, and the model's own where it is another."""
    marks = [("threshold", proposed, "proposed threshold")]
    if own != proposed:
        marks.append(("own", own, "the model's own"))
    for kind, value, _ in marks:
        yield _line(scale.x(value), BARS[0] - 6, scale.x(value), BARS[1], kind)
        yield _line(scale.x(value), CURVES[0] - 6, scale.x(value), CURVES[1], kind)
    for number, (_, value, words) in enumerate(marks):
        x, is_lower = scale.x(value), value == min(proposed, own)
        goes_left = x > LEFT + 180 and (is_lower or x > RIGHT - 180)  # away from the other line
        yield _text(
            x + (-7 if goes_left else 7),
            BARS[0] + 10 + 18 * number,
            f"{words} {value:g}",
            "halo",
            "end" if goes_left else "start",
        )
