"""Prometheus: rules, the cases that they are tested by, and their mutants."""
