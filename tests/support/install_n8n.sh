#!/bin/bash
# n8n for the test of its workflow, with the Node that it wants, outside the checkout, once per machine: 1.8 GB, about
# three minutes.
set -euo pipefail
folder="${PIKKIT_N8N_DIR:-/var/tmp/pikkit-n8n-2}"
version=2.41.1 node=24.21.0
[[ "$(cat "$folder/.installed" 2>/dev/null)" == "$version" ]] && exit 0
case "$(uname -sm)" in
  "Linux x86_64") platform=linux-x64 ;;
  "Linux aarch64") platform=linux-arm64 ;;
  "Darwin arm64") platform=darwin-arm64 ;;
  *) echo "no Node for $(uname -sm) is known here" && exit 1 ;;
esac
mkdir -p "$folder/node"
cd "$folder/node"
echo "{\"private\": true, \"dependencies\": {\"node-$platform\": \"$node\"}}" >package.json
npm install --ignore-scripts --no-audit --no-fund >install.log 2>&1 || { tail -20 install.log; exit 1; }
export npm_config_nodedir="$PWD/node_modules/node-$platform"
export PATH="$npm_config_nodedir/bin:$PATH"
cd "$folder"
# xlsx's own address is not a package registry.
echo "{\"private\": true, \"dependencies\": {\"n8n\": \"$version\"}, \"overrides\": {\"xlsx\": \"npm:@e965/xlsx@0.20.3\"}}" >package.json
npm install --ignore-scripts --no-audit --no-fund >install.log 2>&1 || { tail -20 install.log; exit 1; }
npm rebuild sqlite3 >>install.log 2>&1 || { tail -20 install.log; exit 1; }
echo "$version" >.installed
