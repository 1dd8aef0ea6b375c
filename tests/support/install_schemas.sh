#!/bin/bash
# The published schemas of Argo Rollouts', Gateway's and the Prometheus operator's kinds, outside the checkout, once per
# machine: 30 MB, a few seconds.
set -euo pipefail
folder="${PIKKIT_SCHEMAS_DIR:-/var/tmp/pikkit-schemas}"
wanted="argo-rollouts@2.0.0 gateway-api@2.0.0 prometheus-operator@6.0.0"
[[ "$(cat "$folder/.installed" 2>/dev/null)" == "$wanted" ]] && exit 0
mkdir -p "$folder"
cd "$folder"
echo '{"private": true}' >package.json
read -ra names <<<"$wanted"
npm install --ignore-scripts --no-audit --no-fund "${names[@]/#/@kubernetes-models/}" >install.log 2>&1 || { tail -20 install.log; exit 1; }
echo "$wanted" >.installed
