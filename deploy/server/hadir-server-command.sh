#!/bin/bash
# The command `hadir-server` on the server's machine: `hadir server …` as the server's own user, with the settings of
# /etc/hadir/server.env and files that nobody else may read. What root types would else make files of root's.
set -euo pipefail
HADIR=/opt/hadir/hadir ENVIRONMENT=/etc/hadir/server.env OWNER=hadir OWNERS_HOME=/var/lib/hadir

load_environment() {  # NAME=value lines, as systemd reads them: nothing in them is ever run
    local line name value
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
        name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
        if [[ $value =~ ^\"(.*)\"[[:space:]]*$ || $value =~ ^\'(.*)\'[[:space:]]*$ ]]; then value=${BASH_REMATCH[1]}; fi
        case $name in PATH | IFS | LD_* | BASH* | PYTHON*) continue ;; esac
        export "$name=$value"
    done <"$ENVIRONMENT"
}

if [ ! -r "$ENVIRONMENT" ]; then
    echo "hadir-server: $ENVIRONMENT cannot be read: do this as root (sudo hadir-server …), once that file is there." >&2
    exit 2
fi
load_environment
umask 077
if [ "$(id -u)" = 0 ]; then
    export HOME=$OWNERS_HOME
    exec setpriv --reuid="$OWNER" --regid="$OWNER" --init-groups "$HADIR" server "$@"
fi
exec "$HADIR" server "$@"
