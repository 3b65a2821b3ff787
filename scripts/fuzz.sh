#!/usr/bin/env bash
# Runs every fuzz target of the module, one at a time: those that read what an
# attacker or an admin writes for FUZZTIME, the others for FUZZTIME_OTHERS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-30s}
others=${FUZZTIME_OTHERS:-5s}
long=(
  session:FuzzCookie           # session cookies
  proxy:FuzzForeignCookies     # cookies of the apps
  challenge:FuzzReturnTarget   # where a sign-in leads
  proxy:FuzzPath               # normalisation of paths
  proxy:FuzzForwardedFor       # forwarded headers
  config:FuzzLoad              # the configuration
  proxy/upstream:FuzzAnswer    # what an upstream sends
)

targets=()
while IFS=: read -r file line; do
  targets+=("$(dirname "$file"):$(sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' <<<"$line")")
done < <(find . -name '*_test.go' -not -path '*/node_modules/*' -not -path '*/testdata/*' \
  -exec grep -H '^func Fuzz' {} + | sed 's|^\./||' | sort)

for target in "${long[@]}"; do
  if [[ " ${targets[*]} " != *" $target "* ]]; then
    printf 'fuzz: %s is in the list of %s and nowhere else\n' "$target" "$0" >&2
    exit 1
  fi
done
for target in "${targets[@]}"; do
  dir=${target%%:*} name=${target##*:} for=$others
  if [[ " ${long[*]} " == *" $target "* ]]; then for=$fuzztime; fi
  printf 'fuzz %s in %s for %s\n' "$name" "$dir" "$for"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$for" "./$dir" </dev/null
done
