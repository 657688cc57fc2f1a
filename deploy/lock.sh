#!/usr/bin/env bash
# Re-make the hash-pinned requirements files from pyproject.toml. Needs uv. One joint resolution first, so
# that the edge and the server can live in one environment; then one export for each. What is pinned stays as it
# is; with --upgrade everything that pyproject.toml leaves open is brought to its newest version.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 deploy/wheels/build_opencv_shim.py >/dev/null
joint=$(mktemp)
trap 'rm -f "$joint"' EXIT
resolve() { uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --find-links deploy/wheels \
    --no-emit-package setuptools --no-annotate --no-header "$@"; }
echo 'opencv-python==5.0.0.93+headless' > "$joint.shim"
[ "${1:-}" = --upgrade ] || cat requirements-*.txt | grep -E '^[a-zA-Z0-9_.-]+==' | sed 's/ *\\$//' | sort -u > "$joint"
resolve --all-extras --constraint "$joint.shim" --output-file "$joint"
export_extra() {  # extra file first-line
    resolve --extra "$1" --constraint "$joint" --generate-hashes --output-file "$joint.out"
    { printf '# %s\n# Made from pyproject.toml by deploy/lock.sh; do not edit. Install: pip install -r %s\n' "$3" "$2"
      printf -- '--find-links deploy/wheels\n'
      grep -v -- '^--find-links' "$joint.out"; } > "$2"
    rm -f "$joint.out"
}
export_extra edge requirements-edge.txt "The edge agent."
export_extra server requirements-server.txt "The central server."
export_extra dev requirements-dev.txt "Tests and linting."
export_extra dlib requirements-dlib.txt "The dlib engine, where no InsightFace pack can be had."
rm -f "$joint.shim"
