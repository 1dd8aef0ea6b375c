#!/bin/bash
# What the pipeline's last stage does, and a laptop can too: run ACTION on the host, verify the live address, go back
# if it is not as it should be, and tell Telegram how it ended.
#   ACTION=deploy|canary|promote|rollback  VERSION=1.2.0  LIVE_URL=https://…  COMMIT=… (default: this checkout's)
#   REMOTE, REMOTE_DIR, REMOTE_PORT as in remote.sh; TOOLS_VM_SSH_KEY and REMOTE_KNOWN_HOSTS hold the contents.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${ACTION:?deploy, canary, promote or rollback}" "${LIVE_URL:?address of the live service}"
commit="${COMMIT:-$(git rev-parse HEAD)}"
secrets="$(mktemp -d)"
trap 'rm -rf "$secrets"' EXIT
(umask 077 && printf '%s\n' "${TOOLS_VM_SSH_KEY:?private key}" >"$secrets/key")
printf '%s\n' "${REMOTE_KNOWN_HOSTS:?line of known_hosts}" >"$secrets/known_hosts"
export REMOTE_KEY_FILE="$secrets/key" REMOTE_KNOWN_HOSTS_FILE="$secrets/known_hosts"
python=.venv/bin/python

tell() { "$python" -m deploy.notify "Pikkit ML API: $*"; }

arguments=("$ACTION")
verify=(verify --url "$LIVE_URL")
if [[ $ACTION == deploy || $ACTION == canary ]]; then
  arguments+=(--version "${VERSION:?version of the release}")
  [[ $ACTION == deploy ]] && verify+=(--version "$VERSION")
fi

if ! deploy/remote.sh "$commit" "${arguments[@]}"; then
  tell "$ACTION ${VERSION:-} failed; production is as the host's \`status\` says"
  exit 1
fi
if ! "$python" -m deploy "${verify[@]}"; then
  if deploy/remote.sh "$commit" rollback; then
    tell "$ACTION ${VERSION:-} did not pass verification and was rolled back"
  else
    tell "$ACTION ${VERSION:-} did not pass verification, and the rollback failed: look at the host"
  fi
  exit 1
fi
tell "$ACTION ${VERSION:-} is live and verified"
