#!/bin/bash
# n8n for the test of its workflow, outside the checkout, once per machine: 1.8 GB, about three minutes, Node 20.
set -euo pipefail
folder="${PIKKIT_N8N_DIR:-/var/tmp/pikkit-n8n}"
version=1.123.81
[[ -x "$folder/node_modules/.bin/n8n" && "$(cat "$folder/.installed" 2>/dev/null)" == "$version" ]] && exit 0
mkdir -p "$folder"
cd "$folder"
# xlsx's own address is not a package registry.
echo "{\"private\": true, \"dependencies\": {\"n8n\": \"$version\"}, \"overrides\": {\"xlsx\": \"npm:@e965/xlsx@0.20.3\"}}" >package.json
npm install --ignore-scripts --no-audit --no-fund >install.log 2>&1 || { tail -20 install.log; exit 1; }
npm rebuild sqlite3 >>install.log 2>&1 || { tail -20 install.log; exit 1; }
echo "$version" >.installed
