#!/usr/bin/env bash
# Lets mosquitto start whatever a power cut has done to its files. systemd calls it before and after each start:
#
#   guard.sh before CONF     set aside what mosquitto could not read
#   guard.sh after CONF      it runs: note that, and keep a copy of the accounts
#
# A damaged mosquitto.db keeps mosquitto from starting. It is set aside, and mosquitto begins empty: the agents still
# hold every event that the server has not confirmed, and the server publishes its manifests again.
# With damaged accounts mosquitto starts, and lets nobody in. The copy of the last good start takes their place: an
# agent that joined since then renews its account by itself, and the server removes again those that were revoked.
set -euo pipefail
umask 077

PATIENCE_S=20

say() { echo "guard.sh: $1" >&2; }
value_of() { sed -n "s/^$1 //p" "$CONF" | head -n 1; }

# try SETTINGS...: does mosquitto come up with these settings, on a socket that nobody knows? Its words are in $TRIAL/log.
# The socket's name is relative, because a long one would not fit.
try() {
    rm -f "$TRIAL/socket" "$TRIAL/log"
    printf '%s\n' 'listener 0 socket' 'allow_anonymous false' "user $USER_NAME" 'log_dest stderr' "$@" >"$TRIAL/conf"
    (cd "$TRIAL" && exec "$BINARY" -c conf >log 2>&1) &
    local child=$! waited came_up=1
    for ((waited = 0; waited < PATIENCE_S * 20; waited++)); do
        kill -0 "$child" 2>/dev/null || break
        grep -qs ' running$' "$TRIAL/log" && break
        sleep 0.05
    done
    grep -qs ' running$' "$TRIAL/log" && came_up=0
    kill -KILL "$child" 2>/dev/null || true # so that it writes nothing
    wait "$child" 2>/dev/null || true
    return $came_up
}

# Copies are tried: mosquitto must not touch the real ones.
reads_accounts() {
    [ -s "$1" ] && grep -q '"hadir-admin"' "$1" || return 1
    cp "$1" "$TRIAL/accounts.json"
    try "plugin $(value_of plugin)" "plugin_opt_config_file $TRIAL/accounts.json" || return 1
    ! grep -q 'Error loading Dynamic security' "$TRIAL/log"
}

reads_messages() {
    rm -rf "$TRIAL/db"
    mkdir "$TRIAL/db"
    [ -z "${1:-}" ] || ln "$1" "$TRIAL/db/mosquitto.db" 2>/dev/null || cp "$1" "$TRIAL/db/mosquitto.db"
    try 'persistence true' "persistence_location $TRIAL/db/" 'max_queued_messages 1000000'
}

set_aside() {
    local aside
    aside="$1.damaged-$(date -u +%Y%m%dT%H%M%SZ)"
    mv -f "$1" "$aside"
    say "$1 is damaged; it is now $aside"
}

# Nothing is set aside on a suspicion: only when mosquitto comes up without it, and does not with it.
before() {
    if ! reads_accounts "$ACCOUNTS"; then
        if reads_accounts "$ACCOUNTS.kept"; then
            [ ! -e "$ACCOUNTS" ] || set_aside "$ACCOUNTS"
            say "the accounts of the last good start take its place"
            install_copy "$ACCOUNTS.kept" "$ACCOUNTS"
        else
            say "the accounts in $ACCOUNTS cannot be read, and there is no copy. Run deploy/broker/install.sh again"
        fi
    fi
    if [ -e "$MARK" ] && [ -s "$MESSAGES" ] && ! reads_messages "$MESSAGES" && reads_messages; then
        set_aside "$MESSAGES"
    fi
    rm -f "$MARK" # one that root left from before this ran as the broker's user
    : >"$MARK"
}

after() {
    rm -f "$MARK"
    [ ! -s "$ACCOUNTS" ] || install_copy "$ACCOUNTS" "$ACCOUNTS.kept"
}

install_copy() {
    rm -f "$2.new"
    cp "$1" "$2.new"
    sync "$2.new"
    mv -f "$2.new" "$2"
}

[ $# = 2 ] && [ -r "$2" ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
CONF=$2
DATA=$(value_of persistence_location)
ACCOUNTS=$(value_of plugin_opt_config_file)
MESSAGES=${DATA%/}/mosquitto.db
MARK=${DATA%/}/starting # there from before a start until it has succeeded
USER_NAME=$(value_of user)
# The folder is the broker's own. Whoever broke into that could lay links there, for root to follow at the next start.
if [ "$(id -u)" = 0 ] && [ "$(id -u "$USER_NAME")" != 0 ]; then
    exec setpriv --reuid "$USER_NAME" --regid "$(id -g "$USER_NAME")" --init-groups --inh-caps=-all "$0" "$@"
fi
BINARY=$(command -v mosquitto || echo /usr/sbin/mosquitto)
TRIAL=$(mktemp -d "${DATA%/}/.trial.XXXXXX")
trap 'rm -rf "$TRIAL"' EXIT
case $1 in
    before) before ;;
    after) after ;;
    *) say "what is $1?"; exit 2 ;;
esac
