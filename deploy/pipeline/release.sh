#!/bin/bash
# From a tag v1.2.0 to a release: `files` makes dist/release (Bento, SBOM, notes), `publish` gives it to GitHub.
#   TAG=v1.2.0 deploy/pipeline/release.sh files|publish
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${TAG:?such as v1.2.0}"
version="${TAG#v}" python=.venv/bin/python out=dist/release

case "${1:-}" in
  files)
    found="$("$python" .ci/changelog.py version)"
    if [[ $found != "$version" ]]; then
      echo "tag $TAG is on a commit whose version is $found: make release VERSION=$version, commit, and tag that" >&2
      exit 1
    fi
    git merge-base --is-ancestor HEAD "${MAIN:-origin/main}" || { echo "$TAG is not on main" >&2; exit 1; }
    rm -rf "$out"
    mkdir -p "$out"
    "$python" .ci/changelog.py notes "$version" >"$out/notes.md"
    make --no-print-directory build VERSION="$version"
    "$python" -m bentoml export "pikkit_ml_api:$version" "$PWD/$out/pikkit-ml-api-$version.bento"
    "$python" -m cyclonedx_py requirements requirements/serve.txt --output-format JSON \
      --output-file "$out/pikkit-ml-api-$version.cdx.json"
    (cd "$out" && sha256sum -- *.bento *.cdx.json >SHA256SUMS)
    ;;
  publish)
    gh release create "$TAG" --verify-tag --title "$version" --notes-file "$out/notes.md" \
      "$out"/*.bento "$out"/*.cdx.json "$out/SHA256SUMS"
    ;;
  *) echo "deploy/pipeline/release.sh files|publish" >&2 && exit 2 ;;
esac
