#!/bin/bash
# The rules of monitoring/prometheus as one object for the Prometheus operator:
#   deploy/kubernetes/rules.sh | kubectl apply -f -
set -euo pipefail
cd "$(dirname "$0")/../.."
cat <<'OBJECT'
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: pikkit-ml-api
  namespace: pikkit
  labels:
    app.kubernetes.io/name: pikkit-ml-api
spec:
  groups:
OBJECT
for file in monitoring/prometheus/rules/*.yml; do
  sed -n '/^groups:/,$ {/^groups:/d; s/^\(.\)/  \1/p}' "$file"
done
