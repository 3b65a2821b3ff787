#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME, one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-30s}
found=0
while IFS=: read -r file line; do
  name=$(sed 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/' <<<"$line")
  found=$((found + 1))
  printf 'fuzz %s in %s for %s\n' "$name" "$(dirname "$file")" "$fuzztime"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "./$(dirname "$file")" </dev/null
done < <(find . -name '*_test.go' -not -path '*/node_modules/*' -not -path '*/testdata/*' \
  -exec grep -H '^func Fuzz' {} + | sed 's|^\./||' | sort)

if [[ $found -eq 0 ]]; then
  echo "fuzz: there is no fuzz target" >&2
fi
