"""HTTP to slots by way of the API server, for gates and metrics: with its credentials, and over every pod."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from deploy.errors import DeployError
from deploy.route import slot_named
from deploy.runtimes.kubernetes import PORT, KubernetesRuntime
from deploy.runtimes.kubernetes_cluster import Cluster

__all__ = ["KubernetesTransport"]

_OWN = ("host", "authorization", "accept-encoding")
_UNAVAILABLE = 503


class KubernetesTransport(httpx.BaseTransport):
    """Takes requests to `http://<slot>.slot.invalid/…`.

    `/ready` is 200 when the whole slot is up. `/metrics` joins those of all pods, so that sums over them are the
    slot's. All else is asked of one pod, each time of another: they have the same image.
    """

    def __init__(self, cluster: Cluster, runtime: KubernetesRuntime, inner: httpx.BaseTransport | None = None) -> None:
        self._cluster = cluster
        self._runtime = runtime
        self._inner = inner or httpx.HTTPTransport(verify=_tls(cluster), trust_env=False)
        self._turn = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on.

        Raises:
            httpx.ConnectError: no pod is ready, or the API server doesn't answer.
        """
        slot = slot_named(request.url.host.partition(".")[0])
        try:
            if request.url.path == "/ready" and not self._runtime.fully_up(slot):
                return httpx.Response(_UNAVAILABLE, json={"status": "not all pods are ready"}, request=request)
            pods = self._runtime.ready_pods(slot)
        except DeployError as error:
            raise httpx.ConnectError(str(error)) from error
        if not pods:
            raise httpx.ConnectError(f"no pod of {slot} is ready")
        if request.url.path == "/metrics":
            return self._joined(request, pods)
        self._turn += 1
        return self._send(request, pods[self._turn % len(pods)])

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
        self._cluster.close()

    def _joined(self, request: httpx.Request, pods: Sequence[str]) -> httpx.Response:
        texts = []
        for pod in pods:
            answer = self._send(request, pod)
            answer.read()
            if answer.status_code != httpx.codes.OK:
                return answer
            texts.append(answer.text)
        return httpx.Response(200, text="\n".join(texts), request=request)

    def _send(self, request: httpx.Request, pod: str) -> httpx.Response:
        root = f"{self._cluster.configuration.host}/api/v1/namespaces/{self._cluster.namespace}/pods/{pod}:{PORT}/proxy"
        headers = [(name, value) for name, value in request.headers.raw if name.decode().lower() not in _OWN]
        address = httpx.URL(root + request.url.raw_path.decode())
        forwarded = httpx.Request(
            request.method,
            address,
            headers=[*headers, *_credentials(self._cluster)],
            content=request.read(),
            extensions=request.extensions,
        )
        return self._inner.handle_request(forwarded)


def _credentials(cluster: Cluster) -> list[tuple[bytes, bytes]]:
    settings: Mapping[str, Any] = cluster.configuration.auth_settings()
    return [(item["key"].encode(), item["value"].encode()) for item in settings.values() if item.get("value")]


def _tls(cluster: Cluster) -> ssl.SSLContext | bool:
    given = cluster.configuration
    if not given.host.startswith("https"):
        return False
    context = ssl.create_default_context(cafile=given.ssl_ca_cert)
    if not given.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if given.cert_file:
        context.load_cert_chain(given.cert_file, given.key_file)
    return context
