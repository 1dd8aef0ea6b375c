#!/bin/bash
# Pushes the image named by dist/image.json (`make image`) and tells its digest, by which it is to be pulled:
#   REGISTRY=ghcr.io IMAGE_NAME=owner/name [REGISTRY_USER=… REGISTRY_TOKEN=…] [DIST=dist] [GITHUB_OUTPUT=…] \
#     deploy/push_image.sh
set -euo pipefail
cd "$(dirname "$0")/.."
: "${REGISTRY:?such as ghcr.io}" "${IMAGE_NAME:?owner/name}"
name="$REGISTRY/${IMAGE_NAME,,}" # a registry takes no capitals
tag="$(.venv/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))["tag"])' "${DIST:-dist}/image.json")"
target="$name:${tag##*:}"
if [[ -n ${REGISTRY_TOKEN:-} ]]; then
  printf '%s' "$REGISTRY_TOKEN" | docker login "$REGISTRY" --username "${REGISTRY_USER:?}" --password-stdin >/dev/null
fi
docker tag "$tag" "$target"
docker push --quiet "$target" >/dev/null
digest="$(docker image inspect --format '{{join .RepoDigests "\n"}}' "$target" | sed -n "s|^$name@||p" | head -n 1)"
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "the registry told no digest of $target" >&2; exit 1; }
echo "$name@$digest"
printf 'name=%s\ndigest=%s\ntag=%s\n' "$name" "$digest" "$target" >>"${GITHUB_OUTPUT:-/dev/null}"
