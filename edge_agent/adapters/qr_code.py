"""A code to scan, on a terminal."""

import io
import sys

import segno


def terminal(text: str) -> str:
    """Return the code as lines of half blocks; nothing where the terminal cannot show them."""
    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, compact=True)
    try:
        out.getvalue().encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ""
    return out.getvalue()
