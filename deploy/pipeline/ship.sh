#!/bin/bash
# What the pipeline's last stage does, and a laptop can too: run ACTION on the host, verify the live address, go back
# if it is not as it should be, and tell Telegram how it ended, whatever that was.
#   ACTION=blue-green|canary|promote|abort|rollback  VERSION=1.2.0  LIVE_URL=https://…  COMMIT=… (default: this checkout's)
#   IMAGE, REPOSITORY: what the pipeline made of that commit, for a host that runs images (take_image.sh)
#   WEIGHT=10: percent of a canary, which stays. RAMP=10,25,50: it is judged at each (INTERVAL=5m) and then promoted.
#   REMOTE, REMOTE_DIR, REMOTE_PORT as in remote.sh; TOOLS_VM_SSH_KEY and REMOTE_KNOWN_HOSTS hold the contents.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
secrets="$(mktemp -d)"
told=""

tell() {
  told=yes
  "$python" -m deploy.notify "Pikkit ML API: $*${RUN_URL:+ $RUN_URL}"
}
finish() {
  status=$?
  rm -rf "$secrets"
  if ((status)) && [[ -z $told ]]; then tell "${ACTION:-?} ${VERSION:-} was not begun, or was cut short: see its log"; fi
}
trap finish EXIT
trap 'exit 143' TERM

: "${ACTION:?blue-green, canary, promote, abort or rollback}" "${LIVE_URL:?address of the live service}"
commit="${COMMIT:-$(git rev-parse HEAD)}"
(umask 077 && printf '%s\n' "${TOOLS_VM_SSH_KEY:?private key}" >"$secrets/key")
printf '%s\n' "${REMOTE_KNOWN_HOSTS:?line of known_hosts}" >"$secrets/known_hosts"
export REMOTE_KEY_FILE="$secrets/key" REMOTE_KNOWN_HOSTS_FILE="$secrets/known_hosts"

verify=(verify --url "$LIVE_URL")
case "$ACTION" in
  blue-green)
    arguments=(deploy --version "${VERSION:?version of the release}")
    verify+=(--version "$VERSION")
    ;;
  canary)
    arguments=(canary --version "${VERSION:?version of the release}")
    if [[ -n ${RAMP:-} ]]; then
      arguments+=(--auto --steps "$RAMP" --interval "${INTERVAL:-5m}")
      verify+=(--version "$VERSION")
    else
      arguments+=(--weight "${WEIGHT:-10}")
    fi
    ;;
  promote | abort | rollback)
    arguments=("$ACTION")
    unset IMAGE # nothing new is to run
    ;;
  *) echo "ACTION is '$ACTION': blue-green, canary, promote, abort or rollback" >&2 && exit 2 ;;
esac

if ! deploy/pipeline/remote.sh "$commit" "${arguments[@]}"; then
  tell "$ACTION ${VERSION:-} failed; production is as the host's \`status\` says"
  exit 1
fi
if ! "$python" -m deploy "${verify[@]}"; then
  unset IMAGE
  back=rollback
  if [[ $ACTION == canary && -z ${RAMP:-} ]]; then back=abort; fi # production was not touched
  if [[ $ACTION == rollback || $ACTION == abort ]]; then # going back again would bring back what was fled from
    tell "$ACTION is done, but its verification failed: look at the host"
  elif deploy/pipeline/remote.sh "$commit" "$back"; then
    tell "$ACTION ${VERSION:-} did not pass verification and was rolled back"
  else
    tell "$ACTION ${VERSION:-} did not pass verification, and the rollback failed: look at the host"
  fi
  exit 1
fi
tell "$ACTION ${VERSION:-} is live and verified"
