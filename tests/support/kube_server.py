"""A small Kubernetes API server on loopback: objects with resourceVersions, watches, pods that progress, faults.

It does what the API conventions say for get, list, watch, patch and delete of what `deploy` uses, and plays the
controllers: Deployments get pods, pods get ready or fail as their version is told to, a Gateway takes up routes.
"""

import asyncio
import copy
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.ports import free_port

Object = dict[str, Any]
MODELS = "a" * 64
BUCKETS = (0.005, 0.01, 0.05, 0.1)
WAITING = {
    "pull": ("ErrImagePull", "rpc error: manifest unknown"),
    "config": ("CreateContainerConfigError", 'secret "pikkit-ml-api-secrets" not found'),
}


class Pod:
    """What a pod serves."""

    def __init__(self, version: str, slot: str) -> None:
        self.version = version
        self.slot = slot
        self.grades: Counter[str] = Counter()
        self.errors = 0
        self.active = 0

    def metrics(self) -> str:
        total = sum(self.grades.values()) + self.errors
        endpoint = 'endpoint="/api/v1/predict"'
        lines = [f"pikkit_active_requests {self.active}"]
        lines += [f'pikkit_predictions_total{{grade="{grade}"}} {n}' for grade, n in self.grades.items()]
        lines += [f'pikkit_prediction_latency_seconds_bucket{{{endpoint},le="{le}"}} {total}' for le in BUCKETS]
        lines += [f'pikkit_prediction_latency_seconds_bucket{{{endpoint},le="+Inf"}} {total}']
        lines += [f"pikkit_prediction_latency_seconds_count{{{endpoint}}} {total}"]
        lines += [f'pikkit_prediction_errors_total{{code="internal_error"}} {self.errors}']
        lines += [f"pikkit_win_probability_sum {0.55 * sum(self.grades.values())}"]
        return "\n".join(lines) + "\n"


class KubeServer:
    """`told` says by version how its pods do: ok, pull, crash, config, unschedulable, oom, never.

    `faults` are statuses, or "hang", given in turn to requests whose "METHOD plural" is the key.
    `gateway` says what the Gateway does with a route: accept, refuse, ignore.
    """

    def __init__(self, namespace: str = "pikkit") -> None:
        self.namespace = namespace
        self.told: dict[str, str] = {}
        self.faults: defaultdict[str, list[int | str]] = defaultdict(list)
        self.gateway = "accept"
        self.ready_after_s = 0.05
        self.stuck_pods = False
        self.deadline_s = 0.3
        self.served: dict[str, Pod] = {}
        self.requests: list[str] = []
        self.tokens: Counter[str | None] = Counter()
        self.meddle: list[Object] = []  # patches that somebody else makes just before ours
        self._objects: defaultdict[str, dict[str, Object]] = defaultdict(dict)
        self._events: defaultdict[str, list[tuple[int, Object]]] = defaultdict(list)
        self._compacted: dict[str, int] = {}
        self._version = 100
        self._number = 0
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST", "PATCH", "DELETE"])]
        # Without its own logging set-up, which would outlive this server in the test process.
        config = uvicorn.Config(
            Starlette(routes=routes), port=port, log_config=None, access_log=False, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._server.config.timeout_graceful_shutdown = 1
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def add(self, plural: str, item: Object) -> None:
        item = copy.deepcopy(item)
        item["metadata"] |= {"generation": 1, "creationTimestamp": _now(), "namespace": self.namespace}
        self._store(plural, item)

    def object(self, plural: str, name: str) -> Object:
        return copy.deepcopy(self._objects[plural][name])

    def change(self, plural: str, name: str, patch: Object) -> Object:
        """As another writer does."""
        item = copy.deepcopy(self._objects[plural][name])
        before = copy.deepcopy(item.get("spec"))
        _merge(item, patch, strategic=plural == "deployments")
        if item.get("spec") != before:
            item["metadata"]["generation"] += 1
        self._store(plural, item)
        return item

    def compact(self, plural: str) -> None:
        """Forget the events so far: watches from before are told 410."""
        self._compacted[plural] = self._version + 1
        self._version += 1

    def send(self, requests: int, *, errors: dict[str, int] | None = None) -> Counter[str]:
        """Clients' requests, shared out by the HTTPRoute's weights; `errors`: every n-th of a version fails."""
        refs = self._objects["httproutes"]["pikkit-ml-api"]["spec"]["rules"][-1]["backendRefs"]
        total = sum(ref["weight"] for ref in refs)
        counts: Counter[str] = Counter()
        for number in range(requests):
            place = number * 37 % total
            for ref in refs:
                place -= ref["weight"]
                if place < 0:
                    break
            slot = ref["name"].rpartition("-")[2]
            pods = [pod for name, pod in self.served.items() if pod.slot == slot and self._ready(name)]
            if not pods:
                counts["failed"] += 1
                continue
            pod = pods[number % len(pods)]
            counts[pod.version] += 1
            every = (errors or {}).get(pod.version)
            if every and counts[pod.version] % every == 0:
                pod.errors += 1
            else:
                pod.grades["BC"[number % 2]] += 1
        return counts

    def _ready(self, name: str) -> bool:
        status = self._objects["pods"].get(name, {}).get("status", {})
        return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", ()))

    def _store(self, plural: str, item: Object, kind: str | None = None) -> None:
        name = item["metadata"]["name"]
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        word = kind or ("MODIFIED" if name in self._objects[plural] else "ADDED")
        if word == "DELETED":
            del self._objects[plural][name]
        else:
            self._objects[plural][name] = item
        self._events[plural].append((self._version, {"type": word, "object": copy.deepcopy(item)}))

    def _tick(self) -> None:
        for item in list(self._objects["deployments"].values()):
            self._roll(item)
        for item in list(self._objects["httproutes"].values()):
            self._take_up(item)

    def _roll(self, item: Object) -> None:
        labels = item["spec"]["selector"]["matchLabels"]
        template = item["spec"]["template"]
        mine = [pod for pod in self._objects["pods"].values() if _matches(pod, labels)]
        for pod in mine[item["spec"].get("replicas", 1) :]:
            if not pod["metadata"].get("deletionTimestamp"):
                pod = copy.deepcopy(pod)  # noqa: PLW2901 - events hold what was
                pod["metadata"]["deletionTimestamp"] = _now()
                self._store("pods", pod)
            elif not self.stuck_pods:
                self._store("pods", copy.deepcopy(pod), "DELETED")
        staying = mine[: item["spec"].get("replicas", 1)]
        for _ in range(item["spec"].get("replicas", 1) - len(mine)):
            self._number += 1
            name = f"{item['metadata']['name']}-{self._number}"
            metadata = {"name": name, "labels": template["metadata"]["labels"], "creationTimestamp": _now()}
            pod = {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}, "born": time.time()}
            self._store("pods", copy.deepcopy(pod))
            staying.append(self._objects["pods"][name])
            version = template["metadata"]["labels"].get("app.kubernetes.io/version", "?")
            self.served[name] = Pod(version, labels["pikkit.ml/slot"])
        for pod in staying:
            self._progress(pod)
        self._deployment_status(item, staying)

    def _progress(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        how = self.told.get(self.served[name].version, "ok")
        old = time.time() - pod["born"] > self.ready_after_s
        conditions = [{"type": "PodScheduled", "status": "True"}]
        container: Object = {"name": "service", "ready": False, "restartCount": 0, "image": "image", "state": {}}
        if how == "unschedulable":
            conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
            conditions[0]["message"] = "0/3 nodes are available: 3 Insufficient cpu."
        elif how in WAITING and old:
            reason, message = WAITING[how]
            container["state"] = {"waiting": {"reason": reason, "message": message}}
        elif how == "crash" and old:
            container |= {"restartCount": 3, "lastState": {"terminated": {"reason": "Error", "exitCode": 1}}}
            container["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
        elif how == "oom" and old:
            container |= {"restartCount": 1, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
        elif how == "ok" and old:
            container |= {"ready": True, "state": {"running": {}}}
        conditions.append({"type": "Ready", "status": str(container["ready"])})
        status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": conditions, "containerStatuses": [container]}
        if status != pod["status"]:
            self._store("pods", {**copy.deepcopy(pod), "status": status})

    def _deployment_status(self, item: Object, pods: list[Object]) -> None:
        ready = sum(self._ready(pod["metadata"]["name"]) for pod in pods)
        status: Object = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "readyReplicas": ready,
            "conditions": [],
        }
        if pods and ready < len(pods) and time.time() - min(pod["born"] for pod in pods) > self.deadline_s:
            late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
            status["conditions"] = [{**late, "message": "ReplicaSet has timed out progressing."}]
        if status != item.get("status"):
            self._store("deployments", {**copy.deepcopy(item), "status": status})

    def _take_up(self, item: Object) -> None:
        if self.gateway == "ignore":
            return
        good = self.gateway == "accept"
        generation = item["metadata"]["generation"]
        conditions: list[Object] = [
            {"type": "Accepted", "status": "True", "observedGeneration": generation, "reason": "Accepted"},
            {
                "type": "ResolvedRefs",
                "status": str(good),
                "observedGeneration": generation,
                "reason": "ResolvedRefs" if good else "BackendNotFound",
                "message": "" if good else "service pikkit-ml-api-green not found",
            },
        ]
        status = {"parents": [{"controllerName": "example.com/gateway", "conditions": conditions}]}
        if status != item.get("status"):
            self._store("httproutes", {**copy.deepcopy(item), "status": status})

    async def _answer(self, request: Request) -> Response:
        parts = request.url.path.strip("/").split("/")
        plural, *rest = parts[parts.index("namespaces") + 2 :]
        self._tick()
        method = "WATCH" if "watch" in request.query_params else request.method
        key = f"{method} {plural}"
        self.requests.append(key)
        self.tokens[request.headers.get("authorization")] += 1
        fault = self.faults[key].pop(0) if self.faults[key] else None
        if fault == "hang":
            await asyncio.sleep(1)
            fault = 504
        if isinstance(fault, int):
            return _status(fault, f"told to answer {fault}")
        if len(rest) > 1:
            return await self._sub(request, rest)
        if not rest:
            return self._listed(request, plural)
        item = self._objects[plural].get(rest[0])
        if item is None:
            return _status(404, f'{plural} "{rest[0]}" not found')
        if request.method == "PATCH":
            return self._patched(plural, rest[0], request.headers["content-type"], await request.json())
        if request.method == "DELETE":
            self._store(plural, copy.deepcopy(item), "DELETED")
        return JSONResponse(item)

    def _patched(self, plural: str, name: str, content: str, patch: Object) -> Response:
        if plural == "httproutes" and "strategic" in content:
            return _status(415, "strategic merge patches are not for custom resources")
        if self.meddle:
            self.change(plural, name, self.meddle.pop(0))
        given = patch.get("metadata", {}).pop("resourceVersion", None)
        if given and given != self._objects[plural][name]["metadata"]["resourceVersion"]:
            return _status(409, "the object has been modified; please apply your changes to the latest version")
        return JSONResponse(self.change(plural, name, patch))

    def _listed(self, request: Request, plural: str) -> Response:
        query = request.query_params
        if "watch" in query:
            since = int(query["resourceVersion"])
            if since < self._compacted.get(plural, 0):
                gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
                return PlainTextResponse(json.dumps(gone) + "\n")
            return StreamingResponse(self._stream(plural, dict(query), since), media_type="application/json")
        items = [item for item in self._objects[plural].values() if _selected(item, dict(query))]
        return JSONResponse({"items": items, "metadata": {"resourceVersion": str(self._version)}})

    async def _stream(self, plural: str, query: dict[str, str], since: int) -> AsyncIterator[str]:
        end = time.monotonic() + float(query.get("timeoutSeconds", "10"))
        while time.monotonic() < end and not self._server.should_exit:
            self._tick()
            for version, event in self._events[plural]:
                if version > since and _selected(event["object"], query):
                    yield json.dumps(event) + "\n"
            since = self._version
            await asyncio.sleep(0.02)

    async def _sub(self, request: Request, rest: list[str]) -> Response:
        name = rest[0].partition(":")[0]
        if name not in self._objects["pods"]:
            return _status(404, f'pods "{name}" not found')
        pod = self.served[name]
        if rest[1] == "log":
            crashed = self.told.get(pod.version) == "crash"
            return PlainTextResponse(f"{pod.version}: no such column 'clv'\n" if crashed else f"{pod.version} serves\n")
        path = "/" + "/".join(rest[2:])
        if path == "/metrics":
            return PlainTextResponse(pod.metrics())
        if path == "/api/v1/model-info":
            return JSONResponse({"sha256": MODELS})
        if path == "/api/v1/predict":
            return JSONResponse({"win_probability": 0.55, "bet_grade": "C", "given": await request.json()})
        health = {"status": "healthy", "models_loaded": True, "model_timestamp": "1", "deployment": pod.slot}
        return JSONResponse({**health, "version": pod.version})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(code: int, message: str) -> Response:
    return JSONResponse({"kind": "Status", "status": "Failure", "code": code, "message": message}, status_code=code)


def _matches(item: Object, labels: dict[str, str]) -> bool:
    return bool(labels.items() <= item["metadata"].get("labels", {}).items())


def _selected(item: Object, query: dict[str, str]) -> bool:
    labels = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
    name = query.get("fieldSelector", "").removeprefix("metadata.name=")
    return _matches(item, labels) and name in ("", item["metadata"]["name"])


def _merge(into: Object, patch: Object, *, strategic: bool) -> None:
    for key, value in patch.items():
        present = into.get(key)
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(present, dict):
            _merge(present, value, strategic=strategic)
        elif strategic and isinstance(value, list) and isinstance(present, list) and "name" in value[0]:
            for entry in value:
                same = next((item for item in present if item["name"] == entry["name"]), None)
                if same is None:
                    present.append(entry)
                else:
                    _merge(same, entry, strategic=True)
        else:
            into[key] = copy.deepcopy(value)
