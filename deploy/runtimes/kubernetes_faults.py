"""Why pods of a slot don't come up, from what the API server tells of them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["fault_of", "faults", "is_ready", "restarts"]

_CRASHES = 2  # one restart can be bad luck; the second is a loop
_WAITING = {
    "ErrImagePull": "push the image of this version, and check DEPLOY_IMAGE and the imagePullSecrets",
    "ImagePullBackOff": "push the image of this version, and check DEPLOY_IMAGE and the imagePullSecrets",
    "InvalidImageName": "DEPLOY_IMAGE must be registry/name without a tag",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled: change imagePullPolicy",
    "CreateContainerConfigError": "a Secret or ConfigMap that the pod names is missing: create it",
    "CreateContainerError": "the container can't be made: see its command, mounts and securityContext",
    "RunContainerError": "the container can't be run: see its command, mounts and securityContext",
    "CrashLoopBackOff": "the service ends at its start: its last lines say why",
}


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the pod gets requests: ready, and not on its way out."""
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def restarts(pods: Iterable[Mapping[str, Any]]) -> int:
    """How often containers were started again, over all pods."""
    return sum(int(item.get("restartCount", 0)) for pod in pods for item in _containers(pod))


def fault_of(pod: Mapping[str, Any]) -> str | None:
    """Why this pod will not get ready by waiting, with the remedy; None while it may."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    for item in status.get("conditions") or ():
        if item["type"] == "PodScheduled" and item["status"] == "False" and item.get("reason") == "Unschedulable":
            return (
                f"pod {name}: Unschedulable: {item.get('message', 'no node takes it')}: add nodes, or lower the "
                "resources that it requests"
            )
    for item in _containers(pod):
        waiting = (item.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason in _WAITING:
            return f"pod {name}: {reason}: {waiting.get('message') or item.get('image', '')}: {_WAITING[reason]}"
        ended = (item.get("lastState") or {}).get("terminated") or (item.get("state") or {}).get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return f"pod {name}: OOMKilled: it needs more memory than its limit: raise resources.limits.memory"
        if int(item.get("restartCount", 0)) >= _CRASHES and not item.get("ready"):
            code = ended.get("exitCode")
            return f"pod {name}: restarted {item['restartCount']} times, last exit code {code}: its last lines say why"
    if status.get("phase") == "Failed":
        return f"pod {name}: {status.get('reason', 'Failed')}: {status.get('message', '')}: see the node's events"
    return None


def faults(deployment: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is wrong with a slot: of its pods, else of its Deployment."""
    found = [fault for fault in map(fault_of, pods) if fault]
    if found:
        return found
    for item in deployment.get("status", {}).get("conditions") or ():
        if item["type"] == "ReplicaFailure" and item["status"] == "True":
            return [f"pods can't be made: {item.get('message', '')}: see quotas, and the Pod Security of the namespace"]
        if item["type"] == "Progressing" and item.get("reason") == "ProgressDeadlineExceeded":
            told = item.get("message", "")
            return [f"not ready within progressDeadlineSeconds: {told}: its last lines and `kubectl describe` say why"]
    return []


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
