#!/bin/bash
# Runs `python -m deploy …` of a commit on the host, over SSH:
#   REMOTE=user@host REMOTE_DIR=/srv/pikkit REMOTE_KEY_FILE=… REMOTE_KNOWN_HOSTS_FILE=… \
#     deploy/pipeline/remote.sh COMMIT deploy --version 1.2.0
# REMOTE_DIR is a clone of this repository; its `.env`, store and state stay there. The host's key is pinned.
# With IMAGE=ghcr.io/owner/name@sha256:… VERSION=… REPOSITORY=owner/name the host takes that image first (take_image.sh).
set -euo pipefail
: "${REMOTE:?user@host}" "${REMOTE_DIR:?folder of the clone on the host}"
: "${REMOTE_KEY_FILE:?private key}" "${REMOTE_KNOWN_HOSTS_FILE:?known_hosts with the host key}"
commit="${1:?commit}"
shift
[[ $commit =~ ^[0-9a-f]{40}$ ]] || { echo "a commit is 40 hex digits, not '$commit'" >&2; exit 2; }
printf -v folder %q "$REMOTE_DIR"
printf -v arguments '%q ' "$@"
take=""
if [[ -n ${IMAGE:-} ]]; then
  printf -v take 'deploy/pipeline/take_image.sh %q %q %q;' "${VERSION:?}" "$IMAGE" "${REPOSITORY:?owner/name}"
fi
exec ssh -i "$REMOTE_KEY_FILE" -p "${REMOTE_PORT:-22}" -o BatchMode=yes -o IdentitiesOnly=yes \
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$REMOTE_KNOWN_HOSTS_FILE" -o ConnectTimeout=20 \
  -o ServerAliveInterval=15 "$REMOTE" \
  "set -eu; cd $folder; git fetch --quiet origin $commit; git checkout --quiet --detach $commit;
   make --silent .venv/.installed; $take exec .venv/bin/python -m deploy $arguments"
