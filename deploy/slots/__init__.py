"""What runs a release: the port, processes, containers."""
