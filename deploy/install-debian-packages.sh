#!/usr/bin/env bash
# Install the Debian packages that a part of Hadir wants. Needs root; does nothing where all of them are there.
#
#   deploy/install-debian-packages.sh tests     what the tests use: a broker, ffmpeg, a browser, PDF tools, PostgreSQL
#   deploy/install-debian-packages.sh broker    Mosquitto for production
#
# Several groups may be named. No service is started by this: who wants one, enables it.
set -euo pipefail

LOCK_WAIT_S=${HADIR_APT_WAIT_S:-400}
GUARD=/usr/sbin/policy-rc.d

packages_of() {
    case $1 in
        tests) echo mosquitto ffmpeg chromium poppler-utils postgresql fonts-dejavu-core ;;
        broker) echo mosquitto mosquitto-clients openssl ;;
        *) echo "unknown group: $1 (known: tests, broker)" >&2; return 2 ;;
    esac
}

is_installed() { dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Debian starts a service when it installs it. This stands in the way of that, and goes away afterwards; a guard
# that somebody else has put there is left alone.
guard_services() {
    [ -e "$GUARD" ] && return 0
    printf '#!/bin/sh\nexit 101\n' >"$GUARD"
    chmod 755 "$GUARD"
    trap 'rm -f "$GUARD"' EXIT
    trap 'exit 130' INT TERM
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o "DPkg::Lock::Timeout=$LOCK_WAIT_S" -o Dpkg::Use-Pty=0 "$@"
}

install_quietly() { apt install --no-install-recommends -y "$@" >/dev/null 2>&1; }

main() {
    [ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; return 2; }
    local group package names
    local -a missing=()
    for group in "$@"; do
        names=$(packages_of "$group")
        for package in $names; do
            is_installed "$package" || missing+=("$package")
        done
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || { echo "not root: cannot install ${missing[*]}" >&2; return 1; }
    echo "Installing Debian packages: ${missing[*]}" >&2
    guard_services
    install_quietly "${missing[@]}" && return 0
    apt update >/dev/null
    install_quietly "${missing[@]}" && return 0
    # Together they cannot be had: as many as possible, and the others by name.
    local failed=0
    for package in "${missing[@]}"; do
        apt install --no-install-recommends -y "$package" >/dev/null || { echo "no $package" >&2; failed=1; }
    done
    return $failed
}

main "$@"
