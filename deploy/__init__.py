"""Blue/green and canary deployments of the service without a dropped request: `python -m deploy --help`."""
