#!/usr/bin/env bash
# Install, upgrade or remove the agent of Hadir on a box: Debian, Ubuntu, Raspberry Pi OS, Jetson; x86-64, arm64.
# Run it as root from an unpacked archive, a bundle (deploy/edge/bundle.sh) or a git clone.
#
#   deploy/edge/install.sh                    install; on a box that has it already, upgrade
#   deploy/edge/install.sh upgrade            put this code beside the old one, switch, and go back if it is not well
#   deploy/edge/install.sh rollback           go back to the code before this one
#   deploy/edge/install.sh uninstall [--purge]   remove the code; --purge: also faces, events, settings and passwords
#
#   --dry-run   say what would be done, and do nothing      --yes        do not ask
#   --no-start  neither start nor restart the agent
#
# HADIR_PYTHON names the Python to use; HADIR_ROOT another root folder, to try things out (nobody is made there,
# and no package installed).
set -euo pipefail

SOURCE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
ROOT=${HADIR_ROOT:-}
RELEASES=$ROOT/opt/hadir-releases CURRENT=$ROOT/opt/hadir
SETTINGS=$ROOT/etc/hadir HOME_DIR=$ROOT/var/lib/hadir-agent
UNITS=$ROOT/etc/systemd/system COMMAND=$ROOT/usr/local/bin/hadir
SERVICE=hadir-agent OWNER=hadir
PARTS="common edge_agent deploy docs hadir requirements-edge.txt requirements-dlib.txt pyproject.toml README.md CHANGELOG.md LICENSE"
LEAST_DISK_MB=2500 LEAST_MEMORY_MB=900
WELL_WITHIN_S=${HADIR_WELL_WITHIN_S:-90} SETTLE_S=${HADIR_SETTLE_S:-10}
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin  # without pyenv and its like in a home
KEEP=2  # releases: this one and the one before

dry='' yes='' purge='' start=yes

say() { printf '%s\n' "$*" >&2; }
die() { say "install.sh: $*"; exit 1; }
run() { if [ -n "$dry" ]; then say "would: $*"; else "$@"; fi; }
is_trial() { [ -n "$ROOT" ]; }

# -- what the box is -------------------------------------------------------------------------------------------

check_box() {
    case $(uname -m) in
        x86_64 | aarch64) ;;
        armv7l | armv6l | i?86) die "this is a 32-bit system ($(uname -m)). Hadir needs a 64-bit one: on a Raspberry Pi, install the 64-bit Raspberry Pi OS." ;;
        *) die "there are no packages for this processor ($(uname -m)); x86-64 and arm64 will do." ;;
    esac
    is_trial || [ "$(id -u)" = 0 ] || die "this must be done as root: sudo $0"
    [ -f "$SOURCE/requirements-edge.txt" ] || die "$SOURCE is not Hadir's folder; run the install.sh inside it."
    local free_mb memory_mb
    free_mb=$(df -Pm "$(existing "$RELEASES")" | awk 'NR == 2 { print $4 }')
    [ "$free_mb" -ge "$LEAST_DISK_MB" ] || die "only $free_mb MB are free for /opt; $LEAST_DISK_MB are needed (two versions side by side, and events that wait)."
    memory_mb=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
    [ "$memory_mb" -ge "$LEAST_MEMORY_MB" ] || say "Only $memory_mb MB of memory: it may do for one small camera."
}

existing() { local path=$1; while [ ! -e "$path" ]; do path=$(dirname "$path"); done; printf '%s' "$path"; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate path seen='' too_old='' hidden=''
    # By name first, then in the system's own folder: pyenv and its like may come first in PATH, from a home.
    for candidate in "${HADIR_PYTHON:-}" python3 python3.{14,13,12,11} /usr/bin/python3 /usr/bin/python3.{14,13,12,11} \
        "$ROOT"/opt/hadir-python/*/bin/python3; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        case " $seen " in *" $path "*) continue ;; esac
        seen="$seen $path"
        is_new_enough "$path" || { too_old="${too_old:+$too_old, }$("$path" --version 2>&1) ($path)"; continue; }
        if ! is_trial; then
            case $(readlink -f "$path") in
                /root/* | /home/*) hidden="${hidden:+$hidden, }$("$path" --version 2>&1) ($path)"; continue ;;
            esac
        fi
        printf '%s' "$path"; return 0
    done
    local have=''
    [ -z "$too_old" ] || have=" Too old: $too_old."
    [ -z "$hidden" ] || have="$have In somebody's home, which the service cannot see: $hidden."
    die "Python 3.11 or newer is needed, outside of home folders.${have:- There is no Python at all.}
On Debian 12, Ubuntu 24.04, Raspberry Pi OS 12 and newer:  apt-get install python3 python3-venv
On older ones, such as a Jetson's Ubuntu 22.04 (Python 3.10), uv brings one beside it, and changes nothing else:
  curl -LsSf https://astral.sh/uv/install.sh | env UV_INSTALL_DIR=/usr/local/bin sh
  UV_PYTHON_INSTALL_DIR=/opt/hadir-python uv python install 3.12
then run this again: it looks in /opt/hadir-python. Not in a home folder: the service cannot see those."
}

install_system_packages() {
    is_trial && return 0
    command -v apt-get >/dev/null || { say "No apt-get here: see to python3 with venv, and to NTP, yourself."; return 0; }
    local wanted=() package
    PATH=$SYSTEM_PATH command -v python3 >/dev/null || wanted+=(python3)
    PATH=$SYSTEM_PATH python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || wanted+=(ca-certificates)
    has_ntp || wanted+=(systemd-timesyncd)
    [ ${#wanted[@]} -gt 0 ] || return 0
    say "Installing Debian packages: ${wanted[*]}"
    for package in update install; do
        if [ $package = update ]; then run apt_get update || true
        else run apt_get install -y --no-install-recommends "${wanted[@]}" || say "They could not be installed; going on without (no internet?)."; fi
    done
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=400 "$@" >/dev/null; }

has_ntp() {
    local name
    for name in systemd-timesyncd chronyd ntpd; do
        [ -e "/lib/systemd/$name" ] || [ -e "/usr/lib/systemd/$name" ] || [ -e "/usr/sbin/$name" ] && return 0
    done
    return 1
}

# -- the code --------------------------------------------------------------------------------------------------

# The release's name is made of its content: the same code twice is one release.
release_name() {
    local version sum
    version=$(sed -n 's/^VERSION = "\(.*\)"/\1/p' "$SOURCE/common/__init__.py")
    # shellcheck disable=SC2086  # a list of names
    sum=$(cd "$SOURCE" && find $PARTS -type f ! -path '*/__pycache__/*' ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    printf '%s-%s' "${version:-0}" "${sum:0:12}"
}

# A clone that was made at /opt/hadir by hand becomes the first release.
adopt_old_clone() {
    if [ ! -d "$CURRENT" ] || [ -L "$CURRENT" ]; then return 0; fi
    local aside=$RELEASES/by-hand
    [ ! -e "$aside" ] || aside=$RELEASES/by-hand-$(date +%s)
    say "$CURRENT is a folder of the old way; it becomes $aside."
    run mkdir -p "$RELEASES"
    run mv "$CURRENT" "$aside"
    [ -n "$dry" ] || [ "$SOURCE" != "$CURRENT" ] || SOURCE=$aside
    run ln -sfn "$aside" "$CURRENT"
}

# Packs that were installed below the code are kept outside of it, so that an upgrade does not lose them.
keep_models() {
    local old=$CURRENT/models kept=$RELEASES/models
    if [ -d "$old" ] && [ ! -L "$old" ]; then run mv "$(readlink -f "$old")" "$kept"; fi
    if [ -d "$kept" ] && [ ! -e "$1/models" ]; then run ln -sfn "$kept" "$1/models"; fi
}

put_code() {  # put_code RELEASE: the code and its virtual environment, root's own
    local release=$1 python
    python=$(find_python)
    if [ -f "$release/.complete" ]; then say "This code is here already: $release"; return 0; fi
    say "Putting the code into $release"
    run rm -rf "$release"
    run mkdir -p "$release"
    if [ -n "$dry" ]; then say "would: copy $PARTS, and install the packages with $python"; return 0; fi
    local extra=''
    [ -d "$SOURCE/wheels" ] && extra=wheels
    # shellcheck disable=SC2086  # a list of names
    tar -C "$SOURCE" --exclude=__pycache__ --exclude='*.pyc' -cf - $PARTS $extra | tar -C "$release" --no-same-owner -xf -
    (umask 022; cd "$release"; HADIR_VENV="$release/.venv" HADIR_PYTHON=$python ./hadir packages edge)
    "$release/.venv/bin/python" -m compileall -q "$release/common" "$release/edge_agent" || true
    rm -rf "$release/wheels"
    [ "$(id -u)" != 0 ] || chown -R root:root "$release"
    chmod -R u+rwX,go-w,a+rX "$release"
    "$release/.venv/bin/python" -c 'import cv2, numpy, onnxruntime, insightface' 2>/dev/null ||
        die "the packages are installed, but do not load: $release/.venv/bin/python -c 'import cv2, onnxruntime, insightface'"
    sync  # a power cut after the switch must not find empty files
    : >"$release/.complete"
}

switch_to() {  # switch_to RELEASE: at once, so that no moment is without code
    run ln -sfn "$1" "$CURRENT.new"
    run mv -T "$CURRENT.new" "$CURRENT"
    local unit
    for unit in service path; do run install -m 0644 "$1/deploy/edge/$SERVICE.$unit" "$UNITS/$SERVICE.$unit"; done
    control daemon-reload
}

forget_old_releases() {
    local each count=0 now
    now=$(readlink -f "$CURRENT") || return 0
    while IFS= read -r each; do
        [ "$each" != "$now" ] || continue
        count=$((count + 1))
        [ $count -lt $KEEP ] || { say "Removing an old release: $each"; run rm -rf "$each"; }
    done < <(find "$RELEASES" -mindepth 1 -maxdepth 1 -type d ! -name models -printf '%T@ %p\n' 2>/dev/null | sort -rn | cut -d' ' -f2-)
}

# -- around it -------------------------------------------------------------------------------------------------

make_user() {
    is_trial && return 0
    if ! getent passwd "$OWNER" >/dev/null; then
        say "Making the user $OWNER"
        run useradd --system --user-group --home-dir /var/lib/hadir-agent --shell /usr/sbin/nologin "$OWNER"
    fi
    local group
    for group in video render; do  # webcams, and video hardware
        if getent group $group >/dev/null && ! id -nG "$OWNER" 2>/dev/null | grep -qw $group; then run usermod -aG $group "$OWNER"; fi
    done
}

owned() { is_trial || run chown "$@"; }

make_folders() {
    run install -d -m 0755 "$ROOT/opt" "$RELEASES" "$UNITS" "$(dirname "$COMMAND")"
    run install -d -m 0750 "$SETTINGS"; owned root:$OWNER "$SETTINGS"
    run install -d -m 0700 "$HOME_DIR"; owned $OWNER:$OWNER "$HOME_DIR"
}

put_settings() {
    if [ ! -e "$SETTINGS/agent.yaml" ]; then
        say "Writing $SETTINGS/agent.yaml, without cameras as yet"
        if [ -z "$dry" ]; then
            (umask 027; sed '/^cameras:/,$ s/^/#/' "$SOURCE/deploy/edge/agent.example.yaml" >"$SETTINGS/agent.yaml")
        fi
    fi
    if [ ! -e "$SETTINGS/agent.env" ]; then
        [ -n "$dry" ] || (umask 027; echo '# NAME=value, one a line: the variables that agent.yaml asks for, mostly passwords of cameras.' >"$SETTINGS/agent.env")
    fi
    local file
    for file in agent.yaml agent.env; do
        run chmod 0640 "$SETTINGS/$file"; owned root:$OWNER "$SETTINGS/$file"
    done
}

put_command() { run install -m 0755 "$1/deploy/edge/hadir-command.sh" "$COMMAND"; }

# Where systemd does not run, as in an image that is being made, services are enabled and start with the box.
control() {
    if is_trial || [ -d /run/systemd/system ]; then run systemctl "$@"; fi
}

is_active() { systemctl is-active --quiet $SERVICE 2>/dev/null; }

restarts() { systemctl show -p NRestarts --value $SERVICE 2>/dev/null || echo 0; }

# Start it again, and tell whether it does what it did: same cameras online, the link if it was.
is_well_after_restart() {  # is_well_after_restart RELEASE BEFORE
    systemctl restart $SERVICE || return 1
    "$1/hadir" agent live --config "$SETTINGS/agent.yaml" --as-well-as "$2" --within "$WELL_WITHIN_S" || return 1
    local count; count=$(restarts)
    sleep "$SETTLE_S"
    is_active && [ "$(restarts)" = "$count" ]
}

note_state() {  # what works now, into FILE; nothing, when the agent is not there or too old to tell
    "$CURRENT/hadir" agent live --config "$SETTINGS/agent.yaml" --json >"$1" 2>/dev/null && return 0
    echo '{}' >"$1"
}

change_to() {  # change_to NEW: switch, restart if it runs, and go back if it is not well
    local new=$1 old='' before
    [ ! -e "$CURRENT" ] || old=$(readlink -f "$CURRENT")
    if [ "$old" = "$new" ] || [ -z "$old" ] || [ -n "$dry" ] || [ -z "$start" ] || ! is_active; then
        switch_to "$new"; return 0
    fi
    before=$(mktemp)
    note_state "$before"
    say "Switching to the new code, and waiting until the agent is as well as it was"
    switch_to "$new"
    if is_well_after_restart "$new" "$before"; then rm -f "$before"; return 0; fi
    say "The agent is not well with the new code: going back to $old"
    say "What it said: journalctl -u $SERVICE -n 50"
    switch_to "$old"
    systemctl restart $SERVICE || say "It does not start with the old code either: journalctl -u $SERVICE"
    rm -f "$before"
    rm -rf "$new"
    die "nothing was upgraded; the agent runs as before."
}

# -- the commands ----------------------------------------------------------------------------------------------

install_it() {
    check_box
    install_system_packages
    make_user
    make_folders
    adopt_old_clone
    local release; release=$RELEASES/$(release_name)
    put_code "$release"
    keep_models "$release"
    put_settings
    change_to "$release"
    put_command "$release"
    run systemctl enable $SERVICE.service $SERVICE.path
    control start $SERVICE.path || true
    if [ -n "$start" ] && [ -e "$HOME_DIR/identity.json" ]; then
        control start $SERVICE || say "It does not start: journalctl -u $SERVICE -n 50"
    fi
    forget_old_releases
    say "Installed: $release"
    [ -e "$HOME_DIR/identity.json" ] || say "Next, as root:
  hadir agent models install buffalo_m   what recognises faces
  hadir agent discover --write           finds the cameras and fills them in; or edit $SETTINGS/agent.yaml
  hadir agent join --start LINK          with the link from the server's administrator
  hadir agent check                      stand before each camera while it runs
  hadir agent live                       what it does, as it happens"
}

upgrade_it() {
    [ -e "$CURRENT" ] || die "there is nothing to upgrade; run it without 'upgrade'."
    install_it
}

roll_back() {
    check_box
    local now each
    now=$(readlink -f "$CURRENT" 2>/dev/null) || die "nothing is installed."
    while IFS= read -r each; do
        if [ "$each" = "$now" ] || [ ! -x "$each/hadir" ]; then continue; fi
        switch_to "$each"
        put_command "$each"
        if [ -n "$start" ] && is_active; then control restart $SERVICE; fi
        say "Back to $each"
        return 0
    done < <(find "$RELEASES" -mindepth 1 -maxdepth 1 -type d ! -name models -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2-)
    die "there is no release before this one."
}

uninstall_it() {
    is_trial || [ "$(id -u)" = 0 ] || die "this must be done as root: sudo $0 uninstall"
    if [ -n "$purge" ] && [ -z "$yes" ] && [ -z "$dry" ]; then
        say "This removes the faces that this box knows, events that have not reached the server, who the box is, and"
        say "the cameras' passwords: $HOME_DIR and $SETTINGS. It cannot be undone."
        local answer=''
        printf 'Type yes to go on: ' >&2
        read -r answer || true
        [ "$answer" = yes ] || die "nothing was removed."
    fi
    control stop $SERVICE.path $SERVICE.service || true
    run systemctl disable $SERVICE.service $SERVICE.path || true
    run rm -f "$UNITS/$SERVICE.service" "$UNITS/$SERVICE.path" "$COMMAND"
    control daemon-reload || true
    if [ -L "$CURRENT" ]; then run rm -f "$CURRENT"; fi
    run rm -rf "$RELEASES"
    if [ -z "$purge" ]; then
        say "Removed. $HOME_DIR and $SETTINGS are kept; 'uninstall --purge' removes them too."
        return 0
    fi
    wipe "$HOME_DIR"
    wipe "$SETTINGS"
    if ! is_trial && getent passwd $OWNER >/dev/null; then run userdel $OWNER || true; fi
    say "Removed, with everything that the box knew. Remove the box on the dashboard too, so that its key is worth nothing."
    say "A memory card or SSD may keep overwritten blocks: destroy it, or keep it in the company, if that matters."
}

wipe() {  # overwrite what is in a folder, then remove it
    [ -e "$1" ] || return 0
    if [ -n "$dry" ]; then say "would: overwrite and remove $1"; return 0; fi
    find "$1" -xdev -type f ! -path '*/.insightface/*' -exec shred -n 1 {} + 2>/dev/null || true
    rm -rf "$1"
}

main() {
    local what=install argument
    for argument in "$@"; do
        case $argument in
            install | upgrade | rollback | uninstall) what=$argument ;;
            --dry-run) dry=yes ;;
            --purge) purge=yes ;;
            --yes) yes=yes ;;
            --no-start) start='' ;;
            -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; return 0 ;;
            *) sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; die "what is '$argument'?" ;;
        esac
    done
    case $what in
        install) install_it ;;
        upgrade) upgrade_it ;;
        rollback) roll_back ;;
        uninstall) uninstall_it ;;
    esac
}

main "$@"
