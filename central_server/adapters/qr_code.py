"""Codes to scan, for the dashboard and the operator's terminal."""

import io
import sys

import segno
from markupsafe import Markup


def svg(text: str) -> Markup:
    """Return an SVG element without any style, as the pages' policy wants it, black on white."""
    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(scale=4, light="#fff", omitsize=True, svgclass="qr", lineclass=None))


def terminal(text: str) -> str:
    """Return the code as lines of half blocks; nothing where the terminal cannot show them."""
    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, compact=True)
    try:
        out.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return out.getvalue()
