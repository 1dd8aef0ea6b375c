"""The composition root of the runtime `kubernetes`: a module apart, for its client takes half a second to import."""

from __future__ import annotations

from kubernetes import client

from deploy.audit import AuditLog
from deploy.clock import SystemClock
from deploy.gateway_router import GatewayRouter
from deploy.machine import Machine
from deploy.probe import HttpProbe
from deploy.progress import Progress
from deploy.release import ReleaseStore
from deploy.runtimes.kubernetes import KubernetesRuntime
from deploy.runtimes.kubernetes_cluster import Cluster, configuration
from deploy.runtimes.kubernetes_settings import KubernetesSettings
from deploy.runtimes.kubernetes_transport import KubernetesTransport
from deploy.settings import DeploySettings
from deploy.site import LocalSite
from deploy.state import StateFile

__all__ = ["kubernetes_machine"]


def kubernetes_machine(
    settings: DeploySettings,
    releases: ReleaseStore,
    progress: Progress,
    own: KubernetesSettings | None = None,
    access: client.Configuration | None = None,
) -> Machine:
    """The real parts. `own` and `access` to the API server come from the environment and the kubeconfig if not given.

    Raises:
        UsageError: there is no kubeconfig, and this is no pod.
    """
    clock = SystemClock()
    site = LocalSite(settings.run_dir)
    own = own or KubernetesSettings()
    cluster = Cluster(own, clock, access or configuration(own))
    runtime = KubernetesRuntime(own, cluster, clock)
    return Machine(
        settings=settings,
        site=site,
        runtime=runtime,
        router=GatewayRouter(own, cluster, clock),
        releases=releases,
        probe=HttpProbe(transport=KubernetesTransport(cluster, runtime)),
        state_file=StateFile(site.disk),
        audit=AuditLog(site.disk, clock),
        clock=clock,
        progress=progress,
    )
