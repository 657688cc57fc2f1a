"""Who may know whom, and how large a thing may grow: the layout is the architecture, so it is tested."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = ("common", "edge_agent", "central_server", "deploy")
MIGRATIONS = ROOT / "central_server" / "db" / "migrations"
LONGEST_MODULE, LONGEST_FUNCTION = 400, 50
STANDARD = sys.stdlib_module_names

# folder -> what may be imported there besides the standard library
MAY_IMPORT = {
    "common": {"common"},
    "edge_agent/core": {"common", "edge_agent.core", "numpy"},
    "central_server/domain": {"common", "central_server.domain"},
}

# folder -> what must not be imported there
MUST_NOT_IMPORT = {
    "edge_agent": {"central_server", "flask", "sqlalchemy", "deploy"},
    "central_server": {"edge_agent", "cv2", "insightface", "onnxruntime", "dlib", "deploy"},
    "central_server/blueprints": {"central_server.adapters", "paho", "requests", "smtplib"},
    "central_server/services": {
        "central_server.adapters",
        "central_server.blueprints",
        "flask",
        "paho",
        "requests",
    },
    "central_server/db": {
        "central_server.services",
        "central_server.adapters",
        "central_server.blueprints",
        "flask",
    },
    "central_server/adapters": {"central_server.blueprints", "flask"},
    "central_server/sandbox": {"central_server.db", "central_server.services", "central_server.adapters"},
}

# The outside world comes in through adapters alone. The sandbox is the outside world.
OUTSIDE = {
    "paho",
    "requests",
    "cv2",
    "insightface",
    "onnxruntime",
    "smtplib",
    "amqtt",
    "xhtml2pdf",
    "openpyxl",
    "psutil",
    "wsdiscovery",
    "onvif",
    "zeep",
    "aiohttp",
}
DOORS = (
    "edge_agent/adapters/",
    "central_server/adapters/",
    "central_server/sandbox/",
    "edge_agent/bench/",  # plays the expert who writes a loop around insightface
    "deploy/",  # the demo plays HR and the technician: people, from outside
)

# Where the rule bends, and why. A new line here is a decision, not a habit.
EXCUSED = {
    ("edge_agent/picture.py", "cv2"),  # cuts and shrinks pictures: arithmetic
    ("edge_agent/faces.py", "cv2"),  # the same
    ("edge_agent/enrolment.py", "cv2"),  # decodes a portrait: arithmetic
    ("edge_agent/engines.py", "cv2"),  # tells OpenCV to use one thread
    # Writers of files, which talk to nobody; the pages hand out what they write.
    ("central_server/blueprints/attendance.py", "central_server.adapters.pdf"),
    ("central_server/blueprints/export.py", "central_server.adapters.spreadsheet"),
    ("central_server/blueprints/reports.py", "central_server.adapters.report_files"),
    # The other end of the MQTT link over HTTP: the same reading of messages.
    ("central_server/blueprints/agent_link.py", "central_server.adapters.message_intake"),
}
LONG_LISTS = {"central_server/db/models.py"}  # tables one after the other, no code

# What pure code has no business with: clock, chance, disk, network, processes, logging.
IMPURE_MODULES = {
    "asyncio",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
    "uuid",
}
IMPURE_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "np.random",
    "numpy.random",
    "np.load",
    "np.save",
    "open",
    "print",
    "input",
}
PURE = ("edge_agent/core", "central_server/domain")

DRAWERS = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|stuff)($|_)")


def modules(*folders: str) -> list[Path]:
    """Every module of ours below folders, without the revisions that Alembic wrote."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if MIGRATIONS / "versions" not in path.parents]


def imports_of(path: Path) -> set[str]:
    """The full dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def is_excused(module: str, name: str) -> bool:
    return any(module == where and is_below(name, what) for where, what in EXCUSED)


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(("folder", "allowed"), MAY_IMPORT.items())
def test_a_pure_folder_imports_only_what_its_place_allows(folder: str, allowed: set[str]):
    """The standard library, what both ends share, and for the eye's mathematics numpy."""
    strangers = {
        (named(path), name)
        for path in modules(folder)
        for name in imports_of(path)
        if name.split(".")[0] not in STANDARD and not any(is_below(name, each) for each in allowed)
    }

    assert strangers == set()


@pytest.mark.parametrize(("folder", "banned"), MUST_NOT_IMPORT.items())
def test_a_folder_does_not_know_what_is_above_or_beside_it(folder: str, banned: set[str]):
    """The edge and the server meet in common; rules do not know the web; pages do not know the world."""
    found = {
        (named(path), name)
        for path in modules(folder)
        for name in imports_of(path)
        if any(is_below(name, each) for each in banned) and not is_excused(named(path), name)
    }

    assert found == set()


def test_the_outside_world_comes_in_through_adapters():
    """Brokers, cameras, mail servers and file formats are known to adapters alone."""
    found = {
        (named(path), name)
        for path in modules(*PRODUCT)
        if not named(path).startswith(DOORS)
        for name in imports_of(path)
        if any(is_below(name, each) for each in OUTSIDE) and not is_excused(named(path), name)
    }

    assert found == set()


@pytest.mark.parametrize("folder", PURE)
def test_pure_code_has_no_clock_no_chance_no_disk_and_no_log(folder: str):
    """Time and chance are arguments; whatever happens, the caller makes happen."""
    imported = {
        (named(path), name)
        for path in modules(folder)
        for name in imports_of(path)
        if any(is_below(name, each) for each in IMPURE_MODULES)
    }
    called = {
        (named(path), call)
        for path in modules(folder)
        for call in calls_in(path)
        if any(call == each or call.startswith(f"{each}.") for each in IMPURE_CALLS)
    }

    assert imported | called == set()


def calls_in(path: Path) -> set[str]:
    return {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }


def test_the_recogniser_is_not_needed_to_import_the_server():
    """Standing decision 1: the server runs on a machine without insightface, OpenCV and numpy."""
    heavy = {"numpy", "pandas", "cv2", "insightface"}
    found = {
        (named(path), name)
        for path in modules("central_server")
        for name in imports_of(path)
        if any(is_below(name, each) for each in heavy)
    }

    assert found == set()


def test_no_module_is_too_long():
    """Four hundred lines is a page that somebody has to read in one go."""
    lengths = {named(path): len(path.read_text().splitlines()) for path in modules(*PRODUCT)}

    assert {
        name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE and name not in LONG_LISTS
    } == {}


def functions_in(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{named(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_too_long():
    """Fifty lines is a screen."""
    lengths = dict(each for path in modules(*PRODUCT) for each in functions_in(path))

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_nothing_is_a_drawer():
    """A name says what is in a thing; "utils" says that nobody knew."""
    names = {part for path in modules(*PRODUCT) for part in path.relative_to(ROOT).with_suffix("").parts}
    classes = {
        node.name
        for path in modules(*PRODUCT)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }

    drawers = {name for name in names if DRAWERS.search(name)}
    drawers |= {name for name in classes if name.endswith(("Manager", "Helper", "Utils", "Util"))}
    assert drawers == set()


def test_every_test_says_its_law_in_a_sentence():
    """A docstring that says what must hold, for whoever meets the test when it fails."""
    silent = {
        f"{named(path)}:{node.name}"
        for path in modules("tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    }

    assert silent == set()


def test_the_ban_notices_what_it_bans(tmp_path: Path):
    """The checks above see imports and calls in every form."""
    sample = tmp_path / "sample.py"
    sample.write_text(
        "import os.path\nfrom datetime import datetime as moment, date\nimport numpy as np\n"
        "def f():\n    from flask import Flask\n    return date.today(), np.random.rand(), open('x')\n"
    )

    assert {"os.path", "flask", "flask.Flask", "datetime.datetime"} <= imports_of(sample)
    assert {"date.today", "np.random.rand", "open"} <= calls_in(sample)
