"""The files that a daily report consists of, by their ending."""

from collections.abc import Mapping

from central_server.adapters.pdf import render_pdf
from central_server.adapters.spreadsheet import render_csv, workbook_of
from central_server.ports import ReportRenderer

__all__ = ["RENDERERS", "workbook_of"]

RENDERERS: Mapping[str, ReportRenderer] = {"pdf": render_pdf, "csv": render_csv}
