#!/bin/bash
# The command `hadir` on a box that was installed with install.sh. What root types about the agent is done as the
# agent's own user, so that no file becomes root's and no file of the agent is read by root; with the variables of
# /etc/hadir/agent.env. Only `discover`, which may write the settings, stays root's.
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
if [ "$(id -u)" = 0 ] && [ "${1:-}" = agent ] && [ "${2:-}" != discover ]; then
    export HOME=/var/lib/hadir-agent
    umask 077
    exec setpriv --reuid=hadir --regid=hadir --init-groups "$HADIR" "$@"
fi
exec "$HADIR" "$@"
