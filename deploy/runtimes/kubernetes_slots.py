"""The objects of a slot as data (pure): Deployment, Service, autoscaler, disruption budget, and the HTTPRoute."""

from __future__ import annotations

from typing import Any

from deploy.gateway_router import rules_for
from deploy.route import Route, Slot
from deploy.runtimes.kubernetes import NAME, PORT, object_name

__all__ = ["GRACE_S", "PRE_STOP_S", "deployment", "disruption_budget", "http_route", "scaler", "service"]

PRE_STOP_S = 10  # until every proxy has heard that the pod leaves
SHUTDOWN_S = 35  # a little above the longest request (30 s)
GRACE_S = 60  # above both together
KEEP_ALIVE_S = 75
_UID = 1034  # of BentoML's images


def _metadata(slot: Slot) -> dict[str, Any]:
    return {"name": object_name(slot), "labels": {**_selector(slot), "app.kubernetes.io/part-of": NAME}}


def _selector(slot: Slot) -> dict[str, str]:
    return {"app.kubernetes.io/name": NAME, "pikkit.ml/slot": slot}


def _probe(path: str, **more: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, **more}


def deployment(slot: Slot) -> dict[str, Any]:
    """Stopped; `python -m deploy` gives it an image, a version and replicas."""
    arguments = ["serve", "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104 - the pod's own address
    arguments += ["--timeout-keep-alive", str(KEEP_ALIVE_S), "--timeout-graceful-shutdown", str(SHUTDOWN_S)]
    values = {
        "DEPLOYMENT": slot,
        "PORT": str(PORT),
        "BIND_HOST": "0.0.0.0",  # noqa: S104 - the pod's own address
        "APP_VERSION": "0",
        "WORKERS": "1",
        "DATA_DIR": "/data",
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of this pod
        "BENTOML_DO_NOT_TRACK": "true",
        "OMP_NUM_THREADS": "1",
    }
    container = {
        "name": "service",
        "image": "pikkit-ml-api:0",
        "args": arguments,
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "envFrom": [
            {"configMapRef": {"name": f"{NAME}-settings"}},
            {"secretRef": {"name": f"{NAME}-secrets", "optional": True}},
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": _probe("/ready", periodSeconds=1, timeoutSeconds=2, failureThreshold=90),
        "readinessProbe": _probe("/ready", periodSeconds=3, timeoutSeconds=2, failureThreshold=2),
        "livenessProbe": _probe("/live", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "resources": {
            "requests": {"cpu": "500m", "memory": "384Mi"},
            "limits": {"memory": "768Mi"},  # no CPU limit: throttling would only make answers late
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of this pod
            {"name": "data", "mountPath": "/data"},
        ],
    }
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _selector(slot)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    pod = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": spread,
        "containers": [container],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}},
            {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(slot),
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": _selector(slot)},
            "template": {"metadata": {"labels": _selector(slot)}, "spec": pod},
        },
    }


def service(slot: Slot) -> dict[str, Any]:
    """What the HTTPRoute sends to, and Prometheus discovers by."""
    metadata = _metadata(slot)
    metadata["labels"]["pikkit.ml/job"] = "pikkit"
    port = {"name": "http", "port": PORT, "targetPort": "http", "appProtocol": "http"}
    spec = {"type": "ClusterIP", "selector": _selector(slot), "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def disruption_budget(slot: Slot) -> dict[str, Any]:
    """One pod at a time leaves for the sake of a node. A slot of one pod can leave too: it is moved, not held."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": _selector(slot)},
    }
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _metadata(slot), "spec": spec}


def scaler(slot: Slot) -> dict[str, Any]:
    """Of a colour. It leaves a slot of 0 replicas alone; the canary has none, for its share is small and judged."""
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": object_name(slot)},
        "minReplicas": 2,
        "maxReplicas": 6,
        "metrics": [cpu],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(slot),
        "spec": spec,
    }


def http_route(route: Route) -> dict[str, Any]:
    """As it is before the first deploy: closed."""
    metadata = {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}}
    spec = {"parentRefs": [{"name": "pikkit"}], "rules": rules_for(route, closed=True)}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}
