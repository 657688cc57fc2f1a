#!/usr/bin/env bash
# Make one file that installs the agent on a box without internet: the code, and every package as a wheel.
#
#   deploy/edge/bundle.sh [--arch x86_64|aarch64] [--python 3.11] [--to FOLDER]
#
# Run it at the office, with internet and pip. The Python's version must be the box's own (python3 --version
# there); Debian 12 and Raspberry Pi OS 12 have 3.11, Ubuntu 24.04 has 3.12, Debian 13 has 3.13. The model pack
# travels beside it: see docs/field-technician.md. On the box: tar xzf FILE; sudo hadir-edge-*/deploy/edge/install.sh
set -euo pipefail

SOURCE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
PARTS="common edge_agent deploy docs hadir requirements-edge.txt requirements-dlib.txt pyproject.toml README.md CHANGELOG.md LICENSE"
arch=$(uname -m) version='' to=.

die() { printf 'bundle.sh: %s\n' "$*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case $1 in
        --arch) arch=${2:-}; shift 2 ;;
        --python) version=${2:-}; shift 2 ;;
        --to) to=${2:-}; shift 2 ;;
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "what is '$1'?" ;;
    esac
done
case $arch in x86_64 | aarch64) ;; amd64) arch=x86_64 ;; arm64) arch=aarch64 ;; *) die "--arch is x86_64 or aarch64, not '$arch'" ;; esac
python=${HADIR_PYTHON:-python3}
[ -n "$version" ] || version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[[ $version =~ ^3\.(11|12|13|14)$ ]] || die "--python is 3.11 or newer, for example 3.11, not '$version'"
[ -d "$to" ] || die "there is no folder $to"
"$python" -m pip --version >/dev/null 2>&1 || die "$python has no pip; set HADIR_PYTHON to one that has (.venv/bin/python)"

hadir=$(sed -n 's/^VERSION = "\(.*\)"/\1/p' "$SOURCE/common/__init__.py")
name=hadir-edge-$hadir-$arch-py${version/./}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/wheels"

platforms=()
for glibc in 2_28 2_27 2_26 2_24 2_17; do platforms+=(--platform "manylinux_${glibc}_$arch"); done
platforms+=(--platform "manylinux2014_$arch" --platform "linux_$arch")
download() {
    (cd "$SOURCE" && "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        "${platforms[@]}" --python-version "$version" --implementation cp --abi "cp${version/./}" --abi abi3 --abi none \
        --dest "$work/$name/wheels" "$@")
}
requirement_of() { awk -v name="$1==" '/^[a-zA-Z]/ { is = index($0, name) == 1 } is' "$SOURCE/requirements-edge.txt"; }

requirements_without() {  # requirements_without NAME...: the pinned packages, less these
    awk -v names=" $* " '/^[a-zA-Z]/ { split($0, part, "=="); is = index(names, " " part[1] " ") > 0 } !is' \
        "$SOURCE/requirements-edge.txt"
}

printf 'Fetching the packages for %s, Python %s …\n' "$arch" "$version" >&2
# A few packages come as source alone. They are pure Python: their source travels, and what builds it.
sources=()
until download -r <(requirements_without "${sources[@]}") 2>"$work/log"; do
    missing=$(sed -n 's/^ERROR: No matching distribution found for \([A-Za-z0-9_.-]*\)==.*/\1/p' "$work/log" | head -n 1)
    if [ -z "$missing" ] || [ ${#sources[@]} -ge 9 ]; then
        cat "$work/log" >&2
        die "not every package could be had for $arch and Python $version"
    fi
    sources+=("$missing")
done
for missing in "${sources[@]}"; do
    (cd "$SOURCE" && "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$missing" \
        --dest "$work/$name/wheels" -r <(requirement_of "$missing") >&2)
done
download pip setuptools wheel  # pip for systems without python3-venv, the others for what comes as source
# shellcheck disable=SC2086  # a list of names
tar -C "$SOURCE" --exclude=__pycache__ --exclude='*.pyc' -cf - $PARTS | tar -C "$work/$name" -xf -
tar -C "$work" --owner=0 --group=0 -czf "$to/$name.tar.gz" "$name"
printf '%s\n' "$to/$name.tar.gz" "  $(du -h "$to/$name.tar.gz" | cut -f1), SHA-256 $(sha256sum "$to/$name.tar.gz" | cut -d' ' -f1)" >&2
