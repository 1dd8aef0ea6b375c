"""What the service tells of itself: metrics, drift, logs."""
