#!/bin/bash
# Brings the image of dist/image.json (`make image`) to a registry, in two steps: a version's tag is only ever given to
# what passed the checks between them, and never moves.
#   deploy/pipeline/push_image.sh push                  under a tag of its content; tells the digest, by which it is to be pulled
#   DIGEST=sha256:… deploy/pipeline/push_image.sh tag   gives that digest the version's tag
# with REGISTRY=ghcr.io IMAGE_NAME=owner/name [REGISTRY_USER=… REGISTRY_TOKEN=…] [DIST=dist] [GITHUB_OUTPUT=…]
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${REGISTRY:?such as ghcr.io}" "${IMAGE_NAME:?owner/name}"
name="$REGISTRY/${IMAGE_NAME,,}" # a registry takes no capitals

fail() {
  echo "$*" >&2
  exit 1
}

# Push a tag; prints the digest that the registry gave it.
pushed() {
  local said digest
  said="$(docker push "$1" 2>&1)" || fail "$1 could not be pushed: ${said##*$'\n'}"
  digest="$(sed -n 's/.* digest: \(sha256:[0-9a-f]\{64\}\) size: .*/\1/p' <<<"$said")"
  [[ -n $digest ]] || fail "the registry told no digest of $1"
  echo "$digest"
}

# Prints the digest of a tag on the registry; nothing when there is none. The image is here afterwards.
found() {
  local said digests
  if said="$(docker pull --quiet "$1" 2>&1)"; then
    digests="$(docker image inspect --format '{{join .RepoDigests "\n"}}' "$1")"
    digests="$(sed -n "s|^$name@||p" <<<"$digests")"
    [[ $digests =~ ^sha256:[0-9a-f]{64} ]] || fail "the registry told no digest of $1"
    echo "${BASH_REMATCH[0]}"
  elif [[ ! $said =~ (manifest unknown|name unknown|not found|denied) ]]; then
    fail "$REGISTRY can't be asked for $1: ${said##*$'\n'}"
  fi # "denied" is said of a name that nothing was pushed to yet, too; if it is not that, the push will be refused
}

tell() {
  echo "$name@$1"
  printf 'name=%s\ndigest=%s\ntag=%s\nnew=%s\n' "$name" "$1" "$target" "$2" >>"${GITHUB_OUTPUT:-/dev/null}"
}

record="${DIST:-dist}/image.json"
[[ -f $record ]] || fail "there is no $record: make image VERSION=… comes first"
told='import json, sys; image = json.load(open(sys.argv[1])); print(image["tag"], image["id"], image["commit"])'
fields="$(.venv/bin/python -c "$told" "$record")"
read -r tag id commit <<<"$fields"
target="$name:${tag##*:}"
here="$(docker image inspect --format '{{.Id}}' "$tag")" || fail "the engine holds no image $tag: make image again"
[[ $here == "$id" ]] || fail "$record tells of $tag as $id, the engine holds $here: make image again"

if [[ -n ${REGISTRY_TOKEN:-} ]]; then
  said="$(docker login "$REGISTRY" --username "${REGISTRY_USER:?}" --password-stdin 2>&1 <<<"$REGISTRY_TOKEN")" ||
    fail "$REGISTRY does not let ${REGISTRY_USER} in: ${said##*$'\n'}"
fi
there="$(found "$target")"

case "${1:-}" in
  push)
    if [[ -n $there ]]; then # a repeated run: what was checked and tagged then is what counts
      by="$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.revision"}}' "$target")"
      same="$(docker image inspect --format '{{.Id}}' "$target")"
      if [[ $same != "$id" && ($by != "$commit" || $commit == *-dirty) ]]; then
        fail "$target is there already ($there, of commit $by), and no version's tag moves: choose a new version"
      fi
      echo "$target is there already, of this commit" >&2
      tell "$there" false
      exit
    fi
    own="${id#sha256:}"
    docker tag "$tag" "$name:build-${own:0:16}"
    digest="$(pushed "$name:build-${own:0:16}")"
    back="$(docker pull --quiet "$name@$digest" && docker image inspect --format '{{.Id}}' "$name@$digest")"
    [[ ${back##*$'\n'} == "$id" ]] || fail "$name@$digest is not what was pushed"
    tell "$digest" true
    ;;
  tag)
    [[ ${DIGEST:-} =~ ^sha256:[0-9a-f]{64}$ ]] || fail "DIGEST is '${DIGEST:-}': what \`push\` told"
    if [[ -z $there ]]; then
      docker pull --quiet "$name@$DIGEST" >/dev/null
      docker tag "$name@$DIGEST" "$target"
      there="$(pushed "$target")"
    fi
    [[ $there == "$DIGEST" ]] || fail "$target is $there, and no version's tag moves: choose a new version for $DIGEST"
    echo "$target is $DIGEST"
    printf '**%s** is %s@%s\n' "$target" "$name" "$DIGEST" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
    ;;
  *) echo "deploy/pipeline/push_image.sh push|tag" >&2 && exit 2 ;;
esac
