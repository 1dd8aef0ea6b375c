"""Servers that the service is compared with. They run in an environment of their own, without our package."""
