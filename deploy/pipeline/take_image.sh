#!/bin/bash
# On the host, before a release is deployed: brings the image that the pipeline made to this host's engine, once its
# provenance is seen to be this repository's workflow, on main. `python -m deploy` then finds the release's image there.
#   deploy/pipeline/take_image.sh VERSION NAME@sha256:… OWNER/NAME
# A host that runs processes takes none: it runs the tested commit. GitHub's client must be logged in here.
set -euo pipefail
cd "$(dirname "$0")/../.."
version="${1:?version}" image="${2:?name@digest}" repository="${3:?owner/name}"

fail() {
  echo "$*" >&2
  exit 1
}

runtime="$(.venv/bin/python -c 'from deploy.settings import DeploySettings; print(DeploySettings().runtime)')"
if [[ $runtime != docker ]]; then
  echo "this host runs processes, no image is taken"
  exit
fi
[[ $image =~ ^[a-z0-9./_:-]+@sha256:[0-9a-f]{64}$ ]] || fail "'$image' is no image by its digest, such as ghcr.io/owner/name@sha256:…"
command -v gh >/dev/null ||
  fail "GitHub's client is not installed on this host: without it nobody can tell who built $image (install gh, gh auth login)"
gh attestation verify "oci://$image" --repo "$repository" --source-ref refs/heads/main \
  --signer-workflow "$repository/.github/workflows/ci-cd.yml" >&2 ||
  fail "the provenance of $image is not that of $repository's pipeline: it was not taken"
docker pull --quiet "$image"
docker tag "$image" "pikkit-ml-api:$version"
