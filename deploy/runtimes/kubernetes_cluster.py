"""The API server, through the official client: time-outs, retries, conflicts, watches, and errors in words.

Objects are plain dictionaries as the server sends them: resources of its own kinds and of CRDs are treated alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from deploy.clock import Clock
from deploy.errors import DeployError, UsageError
from deploy.runtimes.kubernetes_settings import KubernetesSettings

__all__ = ["DEPLOYMENTS", "HTTP_ROUTES", "PODS", "SCALERS", "Cluster", "Conflict", "Kind", "NotThere", "configuration"]

_CONFLICT, _GONE, _NOT_FOUND, _TOO_MANY, _SERVER_FAULT = 409, 410, 404, 429, 500
_TRIES = 4
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_REMEDIES = {
    401: "the credentials are refused: sign in again, or set DEPLOY_KUBE_CONTEXT",
    403: "the account may not do that: bind the Role of deploy/kubernetes/base/deployer.yaml to it",
    404: "apply the manifests first: `kubectl apply -k deploy/kubernetes/overlays/production`",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: API group (empty: core), version and plural."""

    group: str
    version: str
    plural: str
    strategic: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """Of the collection, or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


PODS = Kind("", "v1", "pods")
DEPLOYMENTS = Kind("apps", "v1", "deployments")
SCALERS = Kind("autoscaling", "v2", "horizontalpodautoscalers")
HTTP_ROUTES = Kind("gateway.networking.k8s.io", "v1", "httproutes", strategic=False)


class NotThere(DeployError):
    """There is no such object."""


class Conflict(DeployError):
    """The object was changed by somebody else since it was read."""


class Cluster:
    """`namespace` of one cluster."""

    def __init__(self, settings: KubernetesSettings, clock: Clock, access: client.Configuration) -> None:
        self._settings = settings
        self._clock = clock
        self.configuration = access
        self.configuration.retries = False  # ours know which errors are worth another try
        self._api: Any = client.ApiClient(self.configuration)
        self.namespace = settings.kube_namespace

    def close(self) -> None:
        """Close its connections."""
        self._api.close()

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """One object.

        Raises:
            NotThere: there is none.
            DeployError: the API server doesn't answer, or refuses.
        """
        return self._json("GET", kind.path(self.namespace, name))

    def find(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """One object; None when there is none."""
        try:
            return self.get(kind, name)
        except NotThere:
            return None

    def patch(self, kind: Kind, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge `body` into the object.

        Raises:
            Conflict: `body` names a resourceVersion that is no longer the object's.
        """
        content = _STRATEGIC if kind.strategic else _MERGE
        return self._json("PATCH", kind.path(self.namespace, name), body=body, content=content)

    def update(
        self, kind: Kind, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any] | None]
    ) -> dict[str, Any]:
        """Read, have `change` make a patch of what was read, write that; on a conflict begin anew.

        `change` returns None when nothing is to be done. The patch carries the resourceVersion that was read, so that
        what another writer did in between is never overwritten unseen.

        Raises:
            Conflict: others were faster every time.
        """
        for _ in range(_TRIES):
            found = self.get(kind, name)
            body = change(found)
            if body is None:
                return found
            version = found["metadata"]["resourceVersion"]
            metadata = {**body.get("metadata", {}), "resourceVersion": version}
            try:
                return self.patch(kind, name, {**body, "metadata": metadata})
            except Conflict:
                self._clock.sleep(0.05)
        raise Conflict(f"{kind.plural}/{name} was changed by others {_TRIES} times in a row: see who does that")

    def delete(self, kind: Kind, name: str, *, grace_s: int) -> None:
        """Delete the object, if it is there."""
        try:
            self._json("DELETE", kind.path(self.namespace, name), body={"gracePeriodSeconds": grace_s})
        except NotThere:
            return

    def items(self, kind: Kind, labels: str) -> list[dict[str, Any]]:
        """The objects with these labels."""
        found: list[dict[str, Any]] = self._list(kind, {"labelSelector": labels})["items"]
        return found

    def wait(
        self,
        kind: Kind,
        query: Mapping[str, str],
        done: Callable[[Mapping[str, dict[str, Any]]], bool],
        timeout_s: float,
    ) -> bool:
        """List, then watch, until `done` of the objects by name; False when that did not come about in time.

        A watch that ends, breaks, or is told 410 (its resourceVersion is too old) is begun anew from a fresh list.
        """
        end = self._clock.monotonic() + timeout_s
        while True:
            listed = self._list(kind, query)
            objects = {item["metadata"]["name"]: item for item in listed["items"]}
            if done(objects):
                return True
            left = end - self._clock.monotonic()
            if left <= 0:
                return False
            for event in self._watch(kind, query, listed["metadata"]["resourceVersion"], left):
                item = event["object"]
                if event["type"] == "DELETED":
                    objects.pop(item["metadata"]["name"], None)
                else:
                    objects[item["metadata"]["name"]] = item
                if done(objects):
                    return True
            self._clock.sleep(min(0.1, max(0.0, end - self._clock.monotonic())))

    def log(self, pod: str, lines: int, *, previous: bool = False) -> list[str]:
        """The last lines of a pod's service; none when it has none yet."""
        query = {"tailLines": str(lines), "container": "service", "previous": str(previous).lower()}
        try:
            answer = self._request("GET", f"{PODS.path(self.namespace, pod)}/log", query=query)
        except DeployError:
            return []
        return bytes(answer.data).decode(errors="replace").splitlines()

    def follow(self, pod: str) -> Iterator[str]:
        """The lines that a pod's service writes from now on, until it ends."""
        query = {"tailLines": "0", "container": "service", "follow": "true"}
        path = f"{PODS.path(self.namespace, pod)}/log"
        answer = self._request("GET", path, query=query, stream=True, read_s=None)
        yield from _lines(answer)

    def _list(self, kind: Kind, query: Mapping[str, str]) -> dict[str, Any]:
        return self._json("GET", kind.path(self.namespace), query=query)

    def _watch(self, kind: Kind, query: Mapping[str, str], version: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Events until the server ends the watch; none after an error, which is a reason to list again."""
        whole = max(1, round(seconds))
        more = {**query, "watch": "true", "resourceVersion": version, "timeoutSeconds": str(whole)}
        try:
            answer = self._request("GET", kind.path(self.namespace), query=more, stream=True, read_s=min(seconds, 30))
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event
        except (_Gone, urllib3.exceptions.HTTPError, ValueError):
            return

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
    ) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self._request(method, path, query=query, body=body, content=content).data)
        return decoded

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "application/json",
        stream: bool = False,
        read_s: float | None = 0,
    ) -> Any:
        """Reads are tried again after time-outs and server faults; writes only when the server did not begin them."""
        timeout = (self._settings.kube_timeout_s, self._settings.kube_timeout_s if read_s == 0 else read_s)
        for attempt in range(1, _TRIES + 1):
            try:
                return self._send(method, path, query, body, content, timeout, stream=stream)
            except ApiException as error:
                retry = error.status == _TOO_MANY or (error.status >= _SERVER_FAULT and method == "GET")
                if not retry or attempt == _TRIES:
                    raise _in_words(error, method, path) from error
                self._clock.sleep(_retry_after(error, attempt))
            except urllib3.exceptions.HTTPError as error:
                if stream:
                    raise
                refused = isinstance(error, urllib3.exceptions.NewConnectionError)
                if attempt == _TRIES or not (refused or method == "GET"):
                    raise DeployError(
                        f"{self.configuration.host} does not answer {method} {path} within "
                        f"{self._settings.kube_timeout_s:g} s ({type(error).__name__}): is the cluster up, and does "
                        "DEPLOY_KUBE_CONTEXT name it?"
                    ) from error
                self._clock.sleep(0.1 * attempt)
        raise DeployError(f"{method} {path} was not answered")  # not reached: the last attempt raises

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content: str,
        timeout: tuple[float, float | None],
        *,
        stream: bool,
    ) -> Any:
        serialized = self._api.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json, */*", "Content-Type": content},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._api.call_api(*serialized, _request_timeout=timeout)
        if not stream:
            answer.read()
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            answer.read()
            raise ApiException(http_resp=answer)
        return answer


class _Gone(DeployError):
    """410: a watch's resourceVersion is too old."""


def configuration(settings: KubernetesSettings) -> client.Configuration:
    """From the kubeconfig; within a pod, from its service account.

    Raises:
        UsageError: neither is there.
    """
    loader: Any = config
    found = client.Configuration()
    try:
        try:
            loader.load_kube_config(context=settings.kube_context, client_configuration=found)
        except ConfigException:
            if settings.kube_context:
                raise
            loader.load_incluster_config(client_configuration=found)
    except ConfigException as error:
        raise UsageError(
            f"no cluster to talk to ({error}): set KUBECONFIG and DEPLOY_KUBE_CONTEXT, or run in a pod"
        ) from error
    return found


def _in_words(error: ApiException, method: str, path: str) -> DeployError:
    try:
        told = json.loads(error.body or "{}").get("message") or error.reason
    except (ValueError, AttributeError):
        told = error.reason
    words = f"{method} {path}: {error.status} {told}"
    if error.status == _GONE:
        return _Gone(words)
    if error.status == _CONFLICT:
        return Conflict(words)
    remedy = _REMEDIES.get(error.status)
    if remedy:
        words = f"{words}: {remedy}"
    return NotThere(words) if error.status == _NOT_FOUND else DeployError(words)


def _retry_after(error: ApiException, attempt: int) -> float:
    headers = error.headers or {}
    try:
        return min(5.0, float(str(headers.get("Retry-After", ""))))
    except (TypeError, ValueError):
        return 0.1 * attempt


def _lines(answer: Any) -> Iterator[str]:
    """Whole lines of a streamed answer; its connection is given up at the end."""
    rest = b""
    raw = getattr(answer, "response", answer)
    try:
        for chunk in raw.stream(None, decode_content=False):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line:
                    yield line.decode(errors="replace")
    finally:
        raw.close()
        raw.release_conn()
