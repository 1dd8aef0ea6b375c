"""The Gateway API as router: the weights of an HTTPRoute, read back from it and from what its Gateway says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.clock import Clock
from deploy.errors import DeployError, RouterError
from deploy.route import COLOURS, SLOTS, Route, Slot
from deploy.runtimes.kubernetes import NAME, object_name
from deploy.runtimes.kubernetes_cluster import HTTP_ROUTES, Cluster, Conflict
from deploy.runtimes.kubernetes_settings import KubernetesSettings

__all__ = ["ROUTE_NOTE", "GatewayRouter", "refusal", "route_of", "rules_for"]

ROUTE_NOTE = "pikkit.ml/route"
PORT = 8000
TARGET_HEADER = "X-Deployment-Target"
_FULL = 100


def rules_for(route: Route, *, closed: bool = False) -> list[dict[str, Any]]:
    """The HTTPRoute's rules (pure). `closed` gives every slot weight 0: the Gateway then answers 500 to all.

    First what may be chosen by header, then the split. /metrics and reloads are nobody's outside: a rule without
    backends answers them.
    """
    production = 0 if closed else _FULL - route.weight
    weights: dict[Slot, int] = dict.fromkeys(SLOTS, 0)
    weights[route.production] = production
    weights["canary"] = 0 if closed else route.weight
    private = [{"path": {"type": "PathPrefix", "value": path}} for path in ("/metrics", "/api/v1/reload-models")]
    rules: list[dict[str, Any]] = [{"matches": private}]
    if not closed:
        rules += [_chosen(slot) for slot in route.targets()]
    everything = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}
    return [*rules, {**everything, "backendRefs": [_backend(slot, weights[slot]) for slot in SLOTS]}]


def route_of(found: Mapping[str, Any]) -> Route | None:
    """The route that an HTTPRoute stands for; None when it sends nothing anywhere and never did.

    The weights are what is live, so they are believed; the note adds what they can't tell.
    """
    noted = Route.from_name((found["metadata"].get("annotations") or {}).get(ROUTE_NOTE, ""))
    weights = _weights(found)
    colours = [colour for colour in COLOURS if weights.get(colour)]
    if len(colours) > 1:
        raise RouterError(
            f"HTTPRoute {NAME} sends traffic to both colours {weights}: set one of them to 0 by `kubectl edit`"
        )
    if not colours:
        if weights.get("canary"):
            if noted and noted.weight == _FULL:
                return noted
            raise RouterError(f"HTTPRoute {NAME} sends traffic to the canary alone: set a colour's weight")
        return noted
    total = sum(weights.values())
    weight = round(_FULL * weights.get("canary", 0) / total)
    if noted and noted.production == colours[0] and noted.weight == weight:
        return noted
    return Route(
        generation=noted.generation if noted else 1,
        production=colours[0],
        weight=weight,
        canary=weight > 0,
        salt=noted.salt if noted else "0",
    )


def refusal(found: Mapping[str, Any]) -> str | None:
    """What keeps the Gateway from routing as told; None when all Gateways took this generation."""
    generation = found["metadata"].get("generation", 0)
    parents = found.get("status", {}).get("parents") or ()
    if not parents:
        return "no Gateway has taken it up: is a Gateway API controller installed, and do parentRefs name its Gateway?"
    for parent in parents:
        conditions = {item["type"]: item for item in parent.get("conditions") or ()}
        for name in ("Accepted", "ResolvedRefs"):
            item = conditions.get(name)
            if item is None or item.get("observedGeneration", generation) < generation:
                return f"{parent.get('controllerName')} has not looked at generation {generation} yet"
            if item["status"] != "True":
                return f"{parent.get('controllerName')} says {name}={item['status']}, {item.get('reason')}: " + str(
                    item.get("message", "")
                )
    return None


class GatewayRouter:
    """Patches the HTTPRoute `pikkit-ml-api`. The Gateway itself is the cluster's."""

    lag_s = 0.0

    def __init__(self, settings: KubernetesSettings, cluster: Cluster, clock: Clock) -> None:
        self._settings = settings
        self._cluster = cluster
        self._clock = clock

    def reconcile(self, addresses: Mapping[Slot, Sequence[str]]) -> None:  # noqa: ARG002 - Services know the pods
        """See that there is an HTTPRoute; open it again after `stop`.

        Raises:
            RouterError: there is none, or the Gateway refuses it.
        """
        found = self._read()
        route = route_of(found)
        if route and not any(_weights(found).values()):
            self._write(route, closed=False, before=None)

    def set(self, route: Route) -> None:
        """Make `route` live. It is, once the Gateway tells that it took that generation of the HTTPRoute."""
        before = self.get()
        self._write(route, closed=False, before=before)
        told = self._agree()
        if told is None and self.get() == route:
            # Accepted is the controller's word; its proxies follow within a moment that no status tells of.
            self._clock.sleep(self._settings.route_settle_s)
            return
        if before:
            self._write(before, closed=False, before=None)
        raise RouterError(
            f"route {route.name} did not become live, so {before.name if before else 'nothing'} is back: "
            f"{told or 'the HTTPRoute was changed by somebody else'}"
        )

    def get(self) -> Route | None:
        """The route that the HTTPRoute's weights tell."""
        return route_of(self._read())

    def finalize(self) -> None:
        """Nothing is left behind: there is one object, with one state."""

    def stop(self, *, grace_s: float) -> None:  # noqa: ARG002 - slots are stopped after it, with theirs
        """Send nothing anywhere any more. What is live before stays noted, for `up`."""
        route = self.get()
        if route:
            self._write(route, closed=True, before=None)
            self._agree()

    def running(self) -> bool:
        """Whether requests are sent to any slot."""
        return any(_weights(self._read()).values())

    def _read(self) -> dict[str, Any]:
        try:
            return self._cluster.get(HTTP_ROUTES, NAME)
        except DeployError as error:
            raise RouterError(f"HTTPRoute {NAME} can't be read: {error}") from error

    def _write(self, route: Route, *, closed: bool, before: Route | None) -> None:
        """`before`: what must still be live, where that matters."""

        def change(found: Mapping[str, Any]) -> Mapping[str, Any]:
            live = route_of(found)
            if before and live != before:
                raise RouterError(
                    f"HTTPRoute {NAME} was moved to {live.name if live else 'nothing'} by somebody else: "
                    "see `status`, and try again"
                )
            note = {"annotations": {ROUTE_NOTE: route.name}}
            return {"metadata": note, "spec": {"rules": rules_for(route, closed=closed)}}

        try:
            self._cluster.update(HTTP_ROUTES, NAME, change)
        except Conflict as error:
            raise RouterError(str(error)) from error
        except RouterError:
            raise
        except DeployError as error:
            raise RouterError(f"HTTPRoute {NAME} can't be changed: {error}") from error

    def _agree(self) -> str | None:
        """Wait for the Gateway; None once it took the route, else what it says."""
        query = {"fieldSelector": f"metadata.name={NAME}"}
        seen: dict[str, str | None] = {"told": "the HTTPRoute is gone"}

        def done(objects: Mapping[str, dict[str, Any]]) -> bool:
            found = objects.get(NAME)
            seen["told"] = refusal(found) if found else "the HTTPRoute is gone"
            return seen["told"] is None

        try:
            self._cluster.wait(HTTP_ROUTES, query, done, self._settings.route_timeout_s)
        except DeployError as error:
            return str(error)
        return seen["told"]


def _chosen(slot: Slot) -> dict[str, Any]:
    header = {"type": "Exact", "name": TARGET_HEADER, "value": slot}
    match = {"path": {"type": "PathPrefix", "value": "/"}, "headers": [header]}
    return {"matches": [match], "backendRefs": [_backend(slot, 1)]}


def _backend(slot: Slot, weight: int) -> dict[str, Any]:
    return {"name": object_name(slot), "port": PORT, "weight": weight}


def _weights(found: Mapping[str, Any]) -> dict[Slot, int]:
    """Of the last rule, the split; a backend without a weight has 1, by the API's default."""
    rules = found.get("spec", {}).get("rules") or [{}]
    given = {item["name"]: int(item.get("weight", 1)) for item in rules[-1].get("backendRefs") or ()}
    return {slot: given.get(object_name(slot), 0) for slot in SLOTS}
