#!/usr/bin/env bash
# Prints the tests that were skipped for a missing part, if there are any.
set -euo pipefail
if [[ -s $1 ]]; then
  printf '\nSKIPPED, because a part is missing:\n'
  sort -u "$1"
fi
