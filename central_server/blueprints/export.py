"""Lists as downloads."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response

from central_server.adapters.spreadsheet import csv_bytes, csv_pieces


def csv_response(filename: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return a CSV file for a spreadsheet, in which no cell is ever a formula."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return Response(csv_bytes(head, rows), mimetype="text/csv", headers=headers)


def csv_stream(filename: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return the same while its rows are still being fetched; they must not need the request."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"}
    return Response(csv_pieces(head, rows), mimetype="text/csv", headers=headers)
