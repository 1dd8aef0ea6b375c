"""Slots as Deployments `pikkit-ml-api-blue`, `-green` and `-canary` of a cluster; `deploy/kubernetes/` makes them.

A slot that is stopped has 0 replicas. What it was started with stands in annotations of its Deployment, so that
every machine that runs the commands sees the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from deploy.clock import Clock
from deploy.errors import DeployError
from deploy.release import Release
from deploy.route import SLOTS, Slot, other_colour
from deploy.runtimes.base import Observed
from deploy.runtimes.kubernetes_cluster import DEPLOYMENTS, PODS, SCALERS, Cluster, NotThere
from deploy.runtimes.kubernetes_faults import faults, is_ready, restarts
from deploy.runtimes.kubernetes_settings import KubernetesSettings

__all__ = ["NAME", "KubernetesRuntime", "labels_of", "object_name"]

NAME = "pikkit-ml-api"
PORT = 8000
_VERSION, _KEPT, _REPLICAS = "pikkit.ml/version", "pikkit.ml/kept", "pikkit.ml/replicas"
_LEAVING_S = 5.0


def object_name(slot: Slot) -> str:
    """Of the slot's Deployment, Service and HorizontalPodAutoscaler."""
    return f"{NAME}-{slot}"


def labels_of(slot: Slot) -> str:
    """Selects the slot's pods."""
    return f"app.kubernetes.io/name={NAME},pikkit.ml/slot={slot}"


class KubernetesRuntime:
    """`workers` are replicas here: each pod has one worker process."""

    name = "kubernetes"

    def __init__(self, settings: KubernetesSettings, cluster: Cluster, clock: Clock) -> None:
        self._settings = settings
        self._cluster = cluster
        self._clock = clock

    def start(self, slot: Slot, release: Release, *, workers: int, models_from: Slot | None = None) -> None:  # noqa: ARG002
        """Give the Deployment the image of `release`, and replicas.

        `models_from` changes nothing: the model set is part of the image, which can't be changed while it runs.
        """
        replicas = self._replicas(slot, workers)
        image = f"{self._settings.image}:{release.version}"
        notes = {_VERSION: release.version, _KEPT: "false", _REPLICAS: str(replicas)}
        container = {
            "name": "service",
            "image": image,
            "env": [{"name": "APP_VERSION", "value": release.version}],
        }
        template = {
            "metadata": {"labels": {"app.kubernetes.io/version": release.version}, "annotations": self._started()},
            "spec": {"containers": [container]},
        }

        def change(found: Mapping[str, Any]) -> Mapping[str, Any]:
            if found["spec"].get("replicas", 1):
                raise DeployError(f"{slot} runs already: `stop {slot}` first")
            return {"metadata": {"annotations": notes}, "spec": {"replicas": replicas, "template": template}}

        self._cluster.update(DEPLOYMENTS, object_name(slot), change)

    def keep(self, slot: Slot, *, kept: bool) -> None:
        """Pods are always started again by the cluster; the mark tells production's releases from candidates."""
        word = str(kept).lower()

        def change(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
            same = (found["metadata"].get("annotations") or {}).get(_KEPT, "false") == word
            return None if same else {"metadata": {"annotations": {_KEPT: word}}}

        with contextlib.suppress(NotThere):
            self._cluster.update(DEPLOYMENTS, object_name(slot), change)

    def stop(self, slot: Slot, *, grace_s: float) -> None:
        """To 0 replicas; pods get SIGTERM after their preStop wait. Those that stay beyond `grace_s` are deleted."""

        def change(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
            notes = found["metadata"].get("annotations") or {}
            if not found["spec"].get("replicas", 1) and notes.get(_KEPT, "false") == "false":
                return None
            return {"metadata": {"annotations": {_KEPT: "false"}}, "spec": {"replicas": 0}}

        try:
            self._cluster.update(DEPLOYMENTS, object_name(slot), change)
        except NotThere:
            return
        query = {"labelSelector": labels_of(slot)}
        if self._cluster.wait(PODS, query, lambda pods: not pods, grace_s + _LEAVING_S if grace_s else 1.0):
            return
        for pod in self._cluster.items(PODS, labels_of(slot)):
            self._cluster.delete(PODS, pod["metadata"]["name"], grace_s=1)
        if not self._cluster.wait(PODS, query, lambda pods: not pods, _LEAVING_S + 1):
            raise DeployError(f"pods of {slot} don't end: see `kubectl get pods -l {labels_of(slot)}`, is a node lost?")

    def observe(self, slot: Slot) -> Observed:
        """What the Deployment and its pods are. A slot without a ready pod that can't get any does not run."""
        deployment = self._cluster.find(DEPLOYMENTS, object_name(slot))
        if deployment is None:
            return Observed(slot, running=False)
        notes = deployment["metadata"].get("annotations") or {}
        wanted = int(deployment["spec"].get("replicas", 1))
        version, kept = notes.get(_VERSION), notes.get(_KEPT) == "true"
        if not wanted:
            workers = int(notes.get(_REPLICAS, "0"))
            return Observed(slot, running=False, version=version, workers=workers, kept=kept)
        pods = self._pods(slot)
        found = faults(deployment, pods)
        alive = any(is_ready(pod) for pod in pods) or not found
        started = [pod["metadata"]["creationTimestamp"] for pod in pods]
        return Observed(
            slot,
            running=alive,
            version=version,
            workers=wanted,
            started_at=datetime.fromisoformat(min(started)).timestamp() if started else None,
            kept=kept,
            restarts=restarts(pods),
            fault=found[0] if found else None,
        )

    def heal(self, slot: Slot) -> bool:  # noqa: ARG002 - the port's signature
        """The cluster does that."""
        return False

    def revive(self, slot: Slot, *, kept: bool) -> None:
        """Give the Deployment its replicas back."""

        def change(found: Mapping[str, Any]) -> Mapping[str, Any]:
            notes = found["metadata"].get("annotations") or {}
            if _VERSION not in notes:
                raise DeployError(f"nothing is known of what ran in {slot}: use `deploy --version`")
            replicas = int(notes.get(_REPLICAS, "1"))
            return {"metadata": {"annotations": {_KEPT: str(kept).lower()}}, "spec": {"replicas": replicas}}

        self._cluster.update(DEPLOYMENTS, object_name(slot), change)

    def base_urls(self, slot: Slot) -> Sequence[str]:
        """Resolved by `KubernetesTransport`, by way of the API server: no port of the cluster need be open."""
        return (f"http://{slot}.slot.invalid",)

    def addresses(self) -> Mapping[Slot, Sequence[str]]:
        """Pods that are ready."""
        return {slot: tuple(self._addresses(slot)) for slot in SLOTS}

    def log_lines(self, slot: Slot, last: int) -> Sequence[str]:
        """What is wrong with the pods, then the end of the log of the newest that has one."""
        deployment = self._cluster.find(DEPLOYMENTS, object_name(slot)) or {}
        pods = self._pods(slot)
        lines: list[str] = []
        for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True):
            name = pod["metadata"]["name"]
            lines = self._cluster.log(name, last) or self._cluster.log(name, last, previous=True)
            if lines:
                break
        return [*faults(deployment, pods), *lines][-last:] if len(lines) < last else lines[-last:]

    def follow(self, slot: Slot) -> Iterator[str]:
        """Lines of one pod as they come: those of all are `kubectl logs -f -l`'s."""
        pods = sorted(self._pods(slot), key=lambda pod: not is_ready(pod))
        if pods:
            yield from self._cluster.follow(pods[0]["metadata"]["name"])

    def fully_up(self, slot: Slot) -> bool:
        """Whether the slot can take what it was started for: all replicas at first, half of them once it was kept."""
        deployment = self._cluster.find(DEPLOYMENTS, object_name(slot))
        if deployment is None:
            return False
        wanted = int(deployment["spec"].get("replicas", 1))
        status = deployment.get("status", {})
        if not wanted or status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
            return False
        kept = (deployment["metadata"].get("annotations") or {}).get(_KEPT) == "true"
        enough = (wanted + 1) // 2 if kept else wanted
        return min(int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0))) >= enough

    def ready_pods(self, slot: Slot) -> Sequence[str]:
        """Names of the pods that get requests."""
        return [pod["metadata"]["name"] for pod in self._pods(slot) if is_ready(pod)]

    def _addresses(self, slot: Slot) -> Iterator[str]:
        for pod in self._pods(slot):
            address = pod.get("status", {}).get("podIP")
            if address and is_ready(pod):
                yield f"{address}:{PORT}"

    def _pods(self, slot: Slot) -> list[dict[str, Any]]:
        return self._cluster.items(PODS, labels_of(slot))

    def _replicas(self, slot: Slot, workers: int) -> int:
        """Not fewer than the autoscaler would keep, nor than the other colour has: a switch must not be a squeeze."""
        wanted = [workers]
        scaler = self._cluster.find(SCALERS, object_name(slot))
        if scaler:
            wanted.append(int(scaler["spec"].get("minReplicas", 1)))
        if slot != "canary":
            other = self._cluster.find(DEPLOYMENTS, object_name(other_colour(slot)))
            # A colour that was left for another is scaled down by its autoscaler, so this is production's count.
            wanted.append(int(other["spec"].get("replicas", 0)) if other else 0)
        most = int(scaler["spec"]["maxReplicas"]) if scaler else max(wanted)
        if workers > most:
            raise DeployError(f"{workers} replicas are over maxReplicas {most} of {object_name(slot)}: raise it")
        return min(max(wanted), most)

    def _started(self) -> dict[str, str]:
        """Changes with each start: a version that is started again gets new pods."""
        return {"pikkit.ml/started": json.dumps(round(self._clock.now(), 3))}
