"""The help page: HR's guide in the user's language, for everybody who is logged in."""

import re
from pathlib import Path

import pytest
from flask import Flask

from central_server.adapters.guides import GUIDES, anchor, read_guide
from tests.web_world import HrTable, Login
