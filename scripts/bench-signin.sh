#!/usr/bin/env bash
# bench-signin.sh URL USER PASSWORD: signs in at a gateway on loopback as a browser
# would and prints the cookie ("name=value") of that host, for load scripts. The
# user's state must be `disabled`, so that no code is asked for. Needs curl.
set -euo pipefail
url=${1:?URL} user=${2:?USER} password=${3:?PASSWORD}
jar=$(mktemp) page=$(mktemp)
trap 'rm -f "$jar" "$page"' EXIT
# --connect-to reaches every host of the gateway on this machine.
port=${url##*:}; port=${port%%/*}
get() { curl -skL --http1.1 --connect-to "::127.0.0.1:$port" -b "$jar" -c "$jar" -H 'Accept: text/html' -o "$page" -w '%{url_effective}' "$@"; }
at=$(get "$url")
field() { grep -oE "name=\"$1\"[^>]*value=\"[^\"]*\"" "$page" | head -n 1 | sed 's/.*value="//; s/"$//'; }
get "${at%%\?*}" --data-urlencode "flow=$(field flow)" --data-urlencode "csrf=$(field csrf)" \
  --data-urlencode "provider=$(field provider)" --data-urlencode "username=$user" --data-urlencode "password=$password" >/dev/null
host=${url#*://}; host=${host%%[:/]*}
awk -v h="$host" '{ sub(/^#HttpOnly_/, "") } $1 == h && $6 == "__Host-sallyport" { print $6 "=" $7 }' "$jar"
