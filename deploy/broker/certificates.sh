#!/usr/bin/env bash
# A private certificate authority (CA) for Hadir, and the server certificates it signs: for the broker and the web
# server. ECDSA P-256 throughout. Boxes are given the CA when they join, so nothing has to be bought.
#
#   certificates.sh ca                                    make the CA, once; it is never overwritten
#   certificates.sh server NAME [--group GROUP] HOST...   a certificate for host names and IP addresses
#   certificates.sh renew [--within DAYS]                 renew those that end within DAYS (60), by the same CA
#   certificates.sh show                                  what there is, until when, and the CA's SHA-256 hash
#
#   --dir DIR   where they are kept (/etc/hadir-tls); goes before the command
#
# Keys: the CA's is 0600; a server's is 0600 too, or 0640 for the GROUP that its server runs as.
set -euo pipefail
umask 077

DIR=${HADIR_TLS_DIR:-/etc/hadir-tls}
CA_DAYS=7300      # 20 years: as long as boxes hang on walls
SERVER_DAYS=825   # the most that phones and browsers accept of a private CA
CA_SUBJECT='/O=Hadir/CN=Hadir CA'

fail() { echo "certificates.sh: $1" >&2; exit "${2:-1}"; }
usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# Everything is written beside its place and moved there: a power cut leaves the old one or the new one.
draft() { mktemp "$DIR/.new.XXXXXX"; }
settle() { chmod "$1" "$2"; sync "$2"; mv -f "$2" "$3"; }
new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

hash_of() { openssl x509 -in "$1" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1; }
end_of() { openssl x509 -in "$1" -noout -enddate | cut -d= -f2; }

make_ca() {
    for each in ca.key ca.crt; do
        [ ! -e "$DIR/$each" ] || fail "there is a CA in $DIR already: with another one no box would trust the broker"
    done
    local key cert
    key=$(draft) cert=$(draft)
    new_key "$key"
    openssl req -x509 -new -key "$key" -sha256 -days "$CA_DAYS" -subj "$CA_SUBJECT $(date -u +%Y-%m-%d)" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
        -addext subjectKeyIdentifier=hash -out "$cert"
    settle 0600 "$key" "$DIR/ca.key"
    settle 0644 "$cert" "$DIR/ca.crt"
    echo "A new CA. Its SHA-256 hash: $(hash_of "$DIR/ca.crt")"
}

# "DNS:hadir.example.com,IP:192.168.1.10" from the names as given
alternatives() {
    local name kind list=''
    for name in "$@"; do
        if [[ $name =~ ^[0-9]+(\.[0-9]+){3}$ || $name == *:* ]]; then
            kind=IP
            [[ $name =~ ^[0-9A-Fa-f.:]+$ ]] || fail "$name is not an IP address" 2
        else
            kind=DNS
            [[ $name =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]] || fail "$name is not a host name" 2
        fi
        list+="${list:+,}$kind:$name"
    done
    echo "$list"
}

# sign KEY ALTERNATIVES CERT
sign() {
    local request cert
    request=$(draft) cert=$(draft)
    openssl req -new -key "$1" -subj "/O=Hadir/CN=Hadir server" -out "$request"
    openssl x509 -req -in "$request" -CA "$DIR/ca.crt" -CAkey "$DIR/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
        -sha256 -days "$SERVER_DAYS" -out "$cert" -extfile <(printf '%s\n' \
        'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' \
        'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' "subjectAltName=$2") 2>/dev/null \
        || { rm -f "$request" "$cert"; fail "no certificate could be made for $2" 2; }
    rm -f "$request"
    settle 0644 "$cert" "$3"
}

make_server() {
    local name=${1:-} group='' key list
    shift || true
    [ "${1:-}" != --group ] || { group=${2:?--group of whom?}; shift 2; }
    [[ $name =~ ^[a-z][a-z0-9-]*$ && $name != ca && $# -gt 0 ]] || usage
    [ -e "$DIR/ca.key" ] || fail "there is no CA in $DIR yet: certificates.sh ca"
    list=$(alternatives "$@")
    if [ ! -e "$DIR/$name.key" ]; then
        key=$(draft)
        new_key "$key"
        settle 0600 "$key" "$DIR/$name.key"
    fi
    if [ -n "$group" ]; then
        chgrp "$group" "$DIR/$name.key"
        chmod 0640 "$DIR/$name.key"
    fi
    sign "$DIR/$name.key" "$list" "$DIR/$name.crt"
    echo "$DIR/$name.crt is for $list, until $(end_of "$DIR/$name.crt")"
}

# A renewed certificate keeps its key and its names, so that replacing one file is all that happens.
renew() {
    local days=60 cert list
    [ "${1:-}" != --within ] || days=${2:?--within how many days?}
    [[ $days =~ ^[0-9]+$ ]] || fail "--within needs a number of days, not $days" 2
    for cert in "$DIR"/*.crt; do
        [ "$cert" != "$DIR/ca.crt" ] && [ -e "$cert" ] || continue
        # One from elsewhere that was put here is not ours to renew.
        openssl verify -no_check_time -CAfile "$DIR/ca.crt" "$cert" >/dev/null 2>&1 || continue
        openssl x509 -in "$cert" -noout -checkend $((days * 86400)) >/dev/null && continue
        list=$(openssl x509 -in "$cert" -noout -ext subjectAltName | sed -n 's/IP Address:/IP:/g; s/, */,/g; s/^ *//; 2p')
        sign "${cert%.crt}.key" "$list" "$cert"
        echo "$cert was renewed, until $(end_of "$cert")"
    done
}

show() {
    [ -e "$DIR/ca.crt" ] || fail "there is no CA in $DIR yet: certificates.sh ca"
    echo "CA: until $(end_of "$DIR/ca.crt")"
    echo "SHA-256 $(hash_of "$DIR/ca.crt")"
    local cert
    for cert in "$DIR"/*.crt; do
        [ "$cert" != "$DIR/ca.crt" ] || continue
        echo "$(basename "$cert" .crt): until $(end_of "$cert")"
        openssl x509 -in "$cert" -noout -ext subjectAltName | sed -n '2s/^ */  /p'
    done
}

[ "${1:-}" != --dir ] || { DIR=${2:?--dir which?}; shift 2; }
command -v openssl >/dev/null || fail "openssl is not installed: apt-get install openssl"
command=${1:-}
shift || true
case $command in
    ca | server) (umask 022 && mkdir -p "$DIR") ;;
esac
trap 'rm -f "$DIR"/.new.*' EXIT
case $command in
    ca) make_ca ;;
    server) make_server "$@" ;;
    renew) renew "$@" ;;
    show) show ;;
    *) usage ;;
esac
