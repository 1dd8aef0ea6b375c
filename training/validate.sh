#!/bin/bash
# Judges the models to be shipped before a release: by BETS=FILE, or, where they are the starter models, by a simulated
# market; against AGAINST=DIR, or the models of the last release (newest tag v*) if those were others.
#   MODEL_DIR=models BETS=… AGAINST=… REPORT=dist/validation.html GITHUB_STEP_SUMMARY=… training/validate.sh
set -euo pipefail
cd "$(dirname "$0")/.."
models="${MODEL_DIR:-models}" against="${AGAINST:-}" report="${REPORT:-dist/validation.html}"
mkdir -p "$(dirname "$report")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if [[ -z $against ]]; then
  tag="$(git tag --list 'v*' --merged HEAD --no-contains HEAD --sort=-v:refname | head -n 1)"
  if [[ -z $tag ]]; then
    echo "there is no release yet: the models are judged by themselves, against the odds"
  else
    git archive "$tag" models | tar -x -C "$work"
    against="$work/models"
    if diff --recursive --brief "$against" "$models" >/dev/null; then
      echo "the models are those of $tag"
      against=""
    else
      echo "the models are compared with those of $tag"
    fi
  fi
fi

command=(.venv/bin/python -m training validate --models "$models" --report "$report")
if [[ -n ${BETS:-} ]]; then command+=(--bets "$BETS"); else command+=(--simulated); fi
if [[ -n $against ]]; then command+=(--against "$against"); fi
if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then command+=(--summary "$GITHUB_STEP_SUMMARY"); fi
"${command[@]}"
