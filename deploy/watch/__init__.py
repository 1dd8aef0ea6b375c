"""What looks on while nobody types: the supervisor, Prometheus' targets, status."""
