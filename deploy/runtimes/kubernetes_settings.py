"""Settings of the runtime `kubernetes`, read as the others are (`DEPLOY_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["KubernetesSettings"]


class KubernetesSettings(BaseSettings):
    """What an operator can set beside DeploySettings."""

    model_config = SettingsConfigDict(
        env_prefix="DEPLOY_", env_ignore_empty=True, frozen=True, populate_by_name=True, extra="ignore"
    )

    image: str = Field("pikkit-ml-api", description="Image without its tag, e.g. registry/name; the tag is the version")
    kube_context: str | None = Field(None, description="Context of the kubeconfig; default: its current one")
    kube_namespace: str = Field("pikkit", description="Namespace of the cluster")
    kube_timeout_s: float = Field(10, gt=0, description="Longest wait for an answer of the API server")
    route_timeout_s: float = Field(30, gt=0, description="Longest wait for the Gateway to take a new route")
    route_settle_s: float = Field(2, ge=0, description="Wait after that, for its proxies to follow")
