#!/usr/bin/env bash
# Runs the tests below the given folders under the race detector, in their short
# form: the detector makes them several times slower. It needs a C compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

patterns=()
for dir in "$@"; do
  if [[ -n $(find "$dir" -name '*.go' -print -quit 2>/dev/null) ]]; then
    patterns+=("./$dir/...")
  fi
done
if [[ ${#patterns[@]} -eq 0 ]]; then
  echo "race: none of these folders is here: $*" >&2
  exit 0
fi
if ! command -v "$(go env CC)" >/dev/null; then
  if [[ ${CI:-} == true ]]; then
    echo "the race detector needs a C compiler" >&2
    exit 1
  fi
  echo "SKIPPED: the race detector needs a C compiler" >&2
  exit 0
fi
CGO_ENABLED=1 go test -race -short -count=1 -timeout 12m "${patterns[@]}"
