"""Kubernetes manifests: kustomize bases and overlays. `build` makes those that would otherwise be written thrice."""
