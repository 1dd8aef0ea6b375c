"""BentoML's side of the service."""
