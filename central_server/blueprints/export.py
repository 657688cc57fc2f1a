"""Lists as downloads."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response

from central_server.adapters.spreadsheet import csv_bytes


def csv_response(filename: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return a CSV file for a spreadsheet, in which no cell is ever a formula."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return Response(csv_bytes(head, rows), mimetype="text/csv", headers=headers)
