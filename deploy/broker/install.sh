#!/usr/bin/env bash
# Install Debian's Mosquitto as the broker of a Hadir server. Run it as root, again whenever a name or a file changed:
# it does only what is not done yet, and restarts the broker only when something is different.
#
#   deploy/broker/install.sh --host hadir.example.com [--host 192.168.1.10]
#
#   --host NAME        a host name or IP address by which agents reach this machine; several may be given
#   --port N           for the agents, with TLS (8883)
#   --local-port N     for the server, on loopback (1883)
#   --server-user U    whose files the server's passwords become (hadir)
#   --dry-run          only say what would be done
#   --uninstall        take it away again; accounts, messages, passwords and certificates stay
#   --below DIR        install below DIR instead of /: no packages, no services (for images, and for the tests)
#   --run-as USER      the user that the broker becomes (mosquitto)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HOSTS=() PORT=8883 LOCAL_PORT=1883 SERVER_USER=hadir RUN_AS=mosquitto BELOW='' DRY='' TASK=install
CHANGED=''

fail() { echo "install.sh: $1" >&2; exit "${2:-1}"; }
say() { echo "$1" >&2; }
usage() { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) DRY=yes; shift; continue ;;
            --uninstall) TASK=uninstall; shift; continue ;;
        esac
        [ $# -ge 2 ] || usage
        case $1 in
            --host) HOSTS+=("$2") ;;
            --port) PORT=$2 ;;
            --local-port) LOCAL_PORT=$2 ;;
            --server-user) SERVER_USER=$2 ;;
            --below) BELOW=${2%/} ;;
            --run-as) RUN_AS=$2 ;;
            *) usage ;;
        esac
        shift 2
    done
    local each
    for each in "$PORT" "$LOCAL_PORT"; do
        [[ $each =~ ^[0-9]{1,5}$ && $each -ge 1 && $each -le 65535 ]] || fail "$each is not a port" 2
    done
}

# -- small things ----------------------------------------------------------------------------------------------------

# do WORDS COMMAND...: say it, and do it unless this is a rehearsal
do_it() {
    say "${DRY:+would: }$1"
    shift
    [ -n "$DRY" ] || "$@"
}

# place MODE FILE: what comes in by standard input becomes FILE, if it is not that already
place() {
    local content
    content=$(mktemp)
    cat >"$content"
    if ! cmp -s "$content" "$2"; then
        CHANGED=yes
        say "${DRY:+would: }write $2"
        if [ -z "$DRY" ]; then
            mkdir -p "$(dirname "$2")"
            install -m "$1" "$content" "$2.new"
            mv -f "$2.new" "$2"
        fi
    fi
    rm -f "$content"
}

owned_by() { if [ "$(id -u)" = 0 ]; then chown -h "$1" "${@:2}"; fi; } # -h: of a link itself, not of where it leads
has_user() { getent passwd "$1" >/dev/null; }
has_systemd() { [ -z "$BELOW" ] && [ -d /run/systemd/system ]; }

find_plugin() {
    local path
    for path in "/usr/lib/$(uname -m)-linux-gnu/mosquitto_dynamic_security.so" \
        /usr/lib/*/mosquitto_dynamic_security.so /usr/lib/mosquitto_dynamic_security.so; do
        [ ! -e "$path" ] || { echo "$path"; return 0; }
    done
    [ -z "$DRY" ] || { echo "/usr/lib/$(uname -m)-linux-gnu/mosquitto_dynamic_security.so"; return 0; }
    fail "mosquitto's dynamic-security plugin is not there: is this Debian's mosquitto 2?"
}

# -- the parts of the installation -----------------------------------------------------------------------------------

make_certificates() {
    local certificates=("$HERE/certificates.sh" --dir "$TLS") name wanted has
    local -a group names
    [ -e "$TLS/ca.crt" ] || do_it "make a CA in $TLS" "${certificates[@]}" ca
    for name in broker web; do
        group=()
        if [ "$name" = broker ] && [ "$(id -u)" = 0 ] && has_user "$RUN_AS"; then
            group=(--group "$(id -gn "$RUN_AS")")
        fi
        wanted=$(printf '%s\n' "${HOSTS[@]}" localhost 127.0.0.1 | sort -u)
        has=$(cat "$TLS/$name.names" 2>/dev/null || true)
        if [ ! -e "$TLS/$name.crt" ] || [ "$wanted" != "$has" ]; then
            mapfile -t names <<<"$wanted"
            do_it "make a certificate: $name" "${certificates[@]}" server "$name" "${group[@]}" "${names[@]}"
            place 0644 "$TLS/$name.names" <<<"$wanted"
        fi
    done
}

# A password of 256 random bits, in a file that only the server's user can read.
make_password() {
    [ -s "$1" ] && return 0
    CHANGED=yes
    say "${DRY:+would: }make a password in $1"
    [ -z "$DRY" ] || return 0
    rm -f "$1.new"
    (umask 077 && set -C && openssl rand -hex 32 >"$1.new")
    mv -fT "$1.new" "$1"
    rm -f "$ACCOUNTS.kept" # made with another password
    [ ! -e "$ACCOUNTS" ] || mv -f "$ACCOUNTS" "$ACCOUNTS.before-$(date -u +%Y%m%dT%H%M%SZ)"
}

# The server runs as another user than root, who reads its passwords and its key. That user may have come later.
hand_over() {
    has_user "$SERVER_USER" || { say "note: there is no user $SERVER_USER yet; make it, and run this again"; return 0; }
    [ "$(id -u)" = 0 ] && [ -z "$DRY" ] || return 0
    chown -h "$SERVER_USER:" "$ETC/broker-admin-password" "$ETC/broker-password"
    chgrp "$(id -gn "$SERVER_USER")" "$TLS/web.key"
    chmod 0640 "$TLS/web.key"
}

# client NAME PASSWORD_FILE ROLE [CLIENT_ID]: as the plugin keeps it. mosquitto_passwd hashes, so that no password
# stands on a command line.
client() {
    local scratch hash
    scratch=$(mktemp)
    printf '%s:%s\n' "$1" "$(cat "$2")" >"$scratch"
    mosquitto_passwd -U "$scratch"
    hash=$(cut -d: -f2 "$scratch")
    rm -f "$scratch"
    IFS='$' read -r _ _ iterations salt hash <<<"$hash"
    printf '{"username":"%s",%s"password":"%s","salt":"%s","iterations":%s,"roles":[{"rolename":"%s"}]}' \
        "$1" "${4:+\"clientid\":\"$4\",}" "$hash" "$salt" "$iterations" "$3"
}

role() {
    local kind rules=''
    for kind in publishClientSend publishClientReceive subscribePattern; do
        rules+="${rules:+,}{\"acltype\":\"$kind\",\"topic\":\"$2\",\"priority\":0,\"allow\":true}"
    done
    printf '{"rolename":"%s","acls":[%s]}' "$1" "$rules"
}

# Two accounts to begin with. hadir-admin may do nothing but make accounts; hadir-server may do everything but that,
# and only with the client id that the server uses. What nobody was allowed, nobody may.
make_accounts() {
    if grep -qs '"hadir-admin"' "$ACCOUNTS" && tail -n 1 "$ACCOUNTS" | grep -q '}$'; then return 0; fi
    CHANGED=yes
    say "${DRY:+would: }make the accounts of the server in $ACCOUNTS"
    [ -z "$DRY" ] || return 0
    local draft copy # in a folder of root's: in its own, the broker could lay links for us to follow
    draft=$(mktemp "$ETC/.accounts.XXXXXX") copy=$(mktemp "$ETC/.accounts.XXXXXX")
    {
        printf '{"defaultACLAccess":{"publishClientSend":false,"publishClientReceive":false,"subscribe":false,'
        printf '"unsubscribe":true},"clients":[%s,' "$(client hadir-admin "$ETC/broker-admin-password" admin)"
        printf '%s],' "$(client hadir-server "$ETC/broker-password" server hadir-server)"
        printf '"groups":[],"roles":[%s,' "$(role admin "\$CONTROL/dynamic-security/#")"
        printf '%s]}\n' "$(role server 'hadir/1/#')"
    } >"$draft"
    cp "$draft" "$copy"
    owned_by "$RUN_AS" "$draft" "$copy"
    mv -fT "$copy" "$ACCOUNTS.kept"
    mv -fT "$draft" "$ACCOUNTS"
}

write_settings() {
    sed -e "s|@PLUGIN@|$(find_plugin)|; s|@DATA@|$DATA|; s|@TLS@|$TLS|; s|@USER@|$RUN_AS|" \
        -e "s|@PORT@|$PORT|; s|@LOCAL_PORT@|$LOCAL_PORT|" "$HERE/mosquitto.conf" | place 0644 "$CONF"
    place 0755 "$GUARD" <"$HERE/guard.sh"
    place 0755 "$LIB/certificates.sh" <"$HERE/certificates.sh"
    local unit
    for unit in hadir-certificates.service hadir-certificates.timer; do
        place 0644 "$UNITS/$unit" <"$HERE/$unit"
    done
    place 0644 "$DROP_IN" <"$HERE/mosquitto.service.conf"
}

install_all() {
    [ ${#HOSTS[@]} -gt 0 ] || fail "by which name or address do agents reach this machine? Give --host" 2
    if [ -z "$BELOW" ]; then
        do_it "install Debian's mosquitto, if it is not there" "$HERE/../install-debian-packages.sh" broker
        ! ls /etc/mosquitto/conf.d/*.conf >/dev/null 2>&1 || say "note: /etc/mosquitto/conf.d will no longer be read"
    fi
    make_certificates
    if [ -z "$DRY" ]; then
        [ ! -L "$DATA" ] || fail "$DATA is a link, which nobody but an intruder would make"
        mkdir -p "$DATA"
        chmod 0700 "$DATA"
        owned_by "$RUN_AS" "$DATA"
        if [ ! -d "$ETC" ]; then mkdir -p "$ETC" && chmod 0750 "$ETC"; fi
        # The server reads there, and must not write: root does, below.
        if has_user "$SERVER_USER"; then
            owned_by "root:$(id -gn "$SERVER_USER")" "$ETC"
            chmod g+rx,g-w "$ETC"
        fi
    fi
    make_password "$ETC/broker-admin-password"
    make_password "$ETC/broker-password"
    make_accounts
    hand_over
    write_settings
    start
    explain
}

start() {
    if ! has_systemd; then
        [ -n "$BELOW" ] || say "there is no systemd here: run $GUARD before $CONF; mosquitto -c $CONF"
        return 0
    fi
    if [ -n "$CHANGED" ] || ! systemctl is-active --quiet mosquitto; then
        do_it "restart the broker, and have it start at each boot" restart_broker
    else
        say "nothing has changed; the broker goes on"
    fi
}

restart_broker() {
    systemctl daemon-reload
    systemctl enable --quiet mosquitto hadir-certificates.timer
    systemctl restart mosquitto
    systemctl start hadir-certificates.timer
}

explain() {
    [ -z "$DRY" ] || return 0
    local address=${HOSTS[0]}
    [[ $address != *:* ]] || address="[$address]" # IPv6, as it stands in a URL
    cat <<END
# For the server's settings (/etc/hadir/server.env):
HADIR_BROKER_HOST=127.0.0.1
HADIR_BROKER_PORT=$LOCAL_PORT
HADIR_BROKER_PASSWORD_FILE=$ETC/broker-password
HADIR_BROKER_ADMIN_PASSWORD_FILE=$ETC/broker-admin-password
HADIR_BROKER_PUBLIC_HOST=${HOSTS[0]}
HADIR_BROKER_PUBLIC_PORT=$PORT
HADIR_BROKER_PUBLIC_CA_FILE=$TLS/ca.crt
# HTTPS without a proxy:
#HADIR_WEB_HOST=0.0.0.0
#HADIR_WEB_PORT=8443
#HADIR_BASE_URL=https://$address:8443
#HADIR_WEB_CERT_FILE=$TLS/web.crt
#HADIR_WEB_KEY_FILE=$TLS/web.key
END
    "$HERE/certificates.sh" --dir "$TLS" show | sed 's/^/# /'
}

uninstall() {
    if has_systemd; then
        do_it "stop the broker" systemctl disable --quiet --now mosquitto hadir-certificates.timer || true
    fi
    local each
    for each in "$DROP_IN" "$UNITS/hadir-certificates.service" "$UNITS/hadir-certificates.timer" "$CONF" "$LIB"; do
        [ ! -e "$each" ] || do_it "remove $each" rm -rf "$each"
    done
    rmdir "$(dirname "$DROP_IN")" 2>/dev/null || true
    ! has_systemd || [ -n "$DRY" ] || systemctl daemon-reload
    say "Kept: $DATA, $ETC/broker-*password, $TLS. Mosquitto itself: apt-get remove mosquitto"
}

read_arguments "$@"
[ -n "$BELOW" ] || [ -n "$DRY" ] || [ "$(id -u)" = 0 ] || fail "run this as root"
TLS=$BELOW/etc/hadir-tls
ETC=$BELOW/etc/hadir
DATA=$BELOW/var/lib/mosquitto/hadir
ACCOUNTS=$DATA/dynamic-security.json
CONF=$BELOW/etc/mosquitto/hadir.conf
LIB=$BELOW/usr/local/lib/hadir-broker
GUARD=$LIB/guard.sh
UNITS=$BELOW/etc/systemd/system
DROP_IN=$UNITS/mosquitto.service.d/hadir.conf
case $TASK in
    install) install_all ;;
    uninstall) uninstall ;;
esac
