"""Several containers of a slot: names, ports, and the services that Compose is told of beside compose.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.slot import SLOTS, Slot

__all__ = [
    "IMAGE_NAME",
    "MOST",
    "SLOT_LABEL",
    "containers",
    "count",
    "number_name",
    "replica_port",
    "replica_services",
    "services",
]

IMAGE_NAME = "pikkit-ml-api"
"""Of the images, and how the names of containers begin."""

SLOT_LABEL = "pikkit.slot"
"""On each of a slot's containers, by compose.yaml."""

MOST = 20
"""Replicas of a slot, at most."""
_APART = 10  # a stack's own ports are within ten: Nginx, three slots, status


def number_name(slot: Slot) -> str:
    """The variable that holds how many the slot has."""
    return f"{slot.upper()}_REPLICAS"


def count(slot: Slot, variables: Mapping[str, str]) -> int:
    """How many the slot has."""
    return int(variables.get(number_name(slot), "1"))


def containers(slot: Slot, replicas: int) -> list[str]:
    """The first has the name that operators know; the others are numbered from 2."""
    return [f"{IMAGE_NAME}-{service}" for service in services(slot, replicas)]


def services(slot: Slot, replicas: int) -> list[str]:
    """Their names in Compose."""
    return [slot, *(f"{slot}-{number}" for number in range(2, replicas + 1))]


def replica_port(first: int, index: int) -> int:
    """The port of a replica, counted from 0, of a slot whose first has the port `first`: 8001, 8011, 8021."""
    return first + _APART * index


def replica_services(variables: Mapping[str, str], compose_file: str) -> dict[str, Any]:
    """A Compose file (JSON is YAML) with the second and further replicas of all slots."""
    found = {}
    for slot in SLOTS:
        for index, service in enumerate(services(slot, count(slot, variables))):
            if index:
                found[service] = {
                    "extends": {"file": compose_file, "service": slot},
                    "container_name": f"{IMAGE_NAME}-{service}",
                    "environment": {"PORT": str(replica_port(int(variables[f"{slot.upper()}_PORT"]), index))},
                }
    return {"services": found}
