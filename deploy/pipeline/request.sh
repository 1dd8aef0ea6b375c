#!/bin/bash
# Sees that what is asked of the pipeline makes sense and can be done, before anything is built for it:
#   ACTION=blue-green|canary|promote|abort|rollback VERSION=1.2.0 [WEIGHT=10] [RAMP=10,25,50] \
#     [EVENT=workflow_dispatch] [REF=refs/heads/main] [FORK=false] deploy/pipeline/request.sh
set -euo pipefail

fail() {
  echo "${GITHUB_ACTIONS:+::error::}$*" >&2
  echo "**Not done:** $*" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
  exit 2
}

[[ ${EVENT:-workflow_dispatch} == workflow_dispatch ]] || exit 0 # a push or a pull request asks for nothing
[[ ${FORK:-false} != true ]] || fail "${ACTION:-a deploy} is asked of a fork: it has no host, run it in the repository itself"
[[ ${REF:-refs/heads/main} == refs/heads/main ]] ||
  fail "${ACTION:-a deploy} is asked from ${REF#refs/heads/}: only main reaches the host, choose it at 'Use workflow from'"
case "${ACTION:-}" in
  promote | abort | rollback) exit ;;
  blue-green | canary) ;;
  *) fail "ACTION is '${ACTION:-}': blue-green, canary, promote, abort or rollback" ;;
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
