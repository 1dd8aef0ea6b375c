#!/bin/bash
# Runs `python -m deploy …` of a commit on the host, over SSH:
#   REMOTE=user@host REMOTE_DIR=/srv/pikkit REMOTE_KEY_FILE=… REMOTE_KNOWN_HOSTS_FILE=… \
#     deploy/pipeline/remote.sh COMMIT deploy --version 1.2.0
# REMOTE_DIR is a clone of this repository; its `.env`, store and state stay there. The host's key is pinned.
set -euo pipefail
: "${REMOTE:?user@host}" "${REMOTE_DIR:?folder of the clone on the host}"
: "${REMOTE_KEY_FILE:?private key}" "${REMOTE_KNOWN_HOSTS_FILE:?known_hosts with the host key}"
commit="${1:?commit}"
shift
[[ $commit =~ ^[0-9a-f]{40}$ ]] || { echo "a commit is 40 hex digits, not '$commit'" >&2; exit 2; }
printf -v folder %q "$REMOTE_DIR"
printf -v arguments '%q ' "$@"
exec ssh -i "$REMOTE_KEY_FILE" -p "${REMOTE_PORT:-22}" -o BatchMode=yes -o IdentitiesOnly=yes \
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$REMOTE_KNOWN_HOSTS_FILE" -o ConnectTimeout=20 \
  -o ServerAliveInterval=15 "$REMOTE" \
  "set -eu; cd $folder; git fetch --quiet origin $commit; git checkout --quiet --detach $commit;
   make --silent .venv/.installed; exec .venv/bin/python -m deploy $arguments"
