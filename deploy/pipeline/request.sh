#!/bin/bash
# Sees that what is asked of the pipeline makes sense, before anything is built for it:
#   ACTION=blue-green|canary|promote|rollback VERSION=1.2.0 [WEIGHT=10] [RAMP=10,25,50] deploy/pipeline/request.sh
set -euo pipefail

fail() {
  echo "$*" >&2
  exit 2
}

case "${ACTION:-}" in
  promote | rollback) exit ;;
  blue-green | canary) ;;
  *) fail "ACTION is '${ACTION:-}': blue-green, canary, promote or rollback" ;;
esac
[[ ${VERSION:-} =~ ^[a-z0-9][a-z0-9._-]{0,62}$ ]] ||
  fail "VERSION is '${VERSION:-}': $ACTION needs one, such as 1.2.0, of lower-case letters, digits, '.', '-' and '_'"
if [[ $ACTION == canary && -n ${RAMP:-} ]]; then
  last=0
  IFS=, read -ra steps <<<"$RAMP"
  for step in "${steps[@]}"; do
    if ! [[ $step =~ ^([1-9][0-9]?|100)$ ]] || ((step <= last)); then
      fail "RAMP is '$RAMP': rising percents, such as 10,25,50"
    fi
    last=$step
  done
elif [[ $ACTION == canary ]]; then
  [[ ${WEIGHT:=10} =~ ^[1-9][0-9]?$ ]] || fail "WEIGHT is '$WEIGHT': percent of the clients, 1 to 99"
fi
