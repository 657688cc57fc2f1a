"""Build the empty `opencv-python` wheel that points at the headless build.

insightface asks for `opencv-python`, whose Qt build does not import on a machine without X libraries and
overwrites the files of `opencv-python-headless`. This wheel has that name, no files, and one dependency:
the headless build. The bytes are reproducible, so the lock file can pin their SHA-256.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

VERSION = "5.0.0.93+headless"
HEADLESS = "opencv-python-headless==5.0.0.93"
DIST_INFO = f"opencv_python-{VERSION}.dist-info"
FILES = {
    "METADATA": (
        "Metadata-Version: 2.1\nName: opencv-python\n"
        f"Version: {VERSION}\nSummary: Stands in for opencv-python; installs the headless build\n"
        f"License: MIT\nRequires-Dist: {HEADLESS}\n"
    ),
    "WHEEL": "Wheel-Version: 1.0\nGenerator: hadir\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def record_line(name: str, content: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
    return f"{DIST_INFO}/{name},sha256={digest},{len(content)}\n"


def build(folder: Path) -> Path:
    """Write the wheel into folder and return its path; the same bytes every time."""
    wheel = folder / f"opencv_python-{VERSION}-py3-none-any.whl"
    record = "".join(record_line(name, content) for name, content in FILES.items())
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {**FILES, "RECORD": record + f"{DIST_INFO}/RECORD,,\n"}.items():
            entry = zipfile.ZipInfo(f"{DIST_INFO}/{name}", date_time=(2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, content)
    return wheel


if __name__ == "__main__":
    print(build(Path(__file__).parent))
