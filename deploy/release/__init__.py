"""Releases: what they hold, how they are built and kept."""
