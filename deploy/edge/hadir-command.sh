#!/bin/bash
# The command `hadir` on a box that was installed with install.sh. What root types about the agent is done as the
# agent's own user, so that no file becomes root's, with the variables of /etc/hadir/agent.env. Two stay root's:
# `discover`, which may write the settings, and `join`, which may start the service and gives its files away.
set -euo pipefail
HADIR=/opt/hadir/hadir ENVIRONMENT=/etc/hadir/agent.env

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

if [ "${1:-}" = agent ] && [ -r "$ENVIRONMENT" ]; then load_environment; fi
is_roots() { case ${1:-} in discover | join) ;; *) return 1 ;; esac; }

if [ "$(id -u)" = 0 ] && [ "${1:-}" = agent ] && ! is_roots "${2:-}"; then
    export HOME=/var/lib/hadir-agent
    umask 077
    exec setpriv --reuid=hadir --regid=hadir --init-groups "$HADIR" "$@"
fi
exec "$HADIR" "$@"
