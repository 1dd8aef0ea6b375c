"""Applies our kustomizations as kustomize does, as far as they use it: resources, namespace, JSON patches."""

import copy
from pathlib import Path
from typing import Any

import yaml
from yaml import CSafeLoader

Object = dict[str, Any]
KNOWN = {"apiVersion", "kind", "resources", "namespace", "patches"}
CLUSTER_WIDE = {"Namespace"}


def render(folder: Path) -> list[Object]:
    """The objects of a folder's kustomization; a field or a patch that does nothing is an error."""
    given = yaml.load((folder / "kustomization.yaml").read_text(), CSafeLoader)
    unknown = set(given) - KNOWN
    assert not unknown, f"{folder}: {unknown} is not known here"
    objects: list[Object] = []
    for name in given["resources"]:
        path = folder / name
        objects += render(path) if path.is_dir() else list(yaml.load_all(path.read_text(), CSafeLoader))
    for patch in given.get("patches", []):
        target = patch["target"]
        chosen = [item for item in objects if _is(item, target)]
        assert chosen, f"{folder}: nothing is {target}"
        for item in chosen:
            for operation in yaml.load(patch["patch"], CSafeLoader):
                _apply(item, operation)
    if "namespace" in given:
        for item in objects:
            _place(item, given["namespace"])
    return objects


def _is(item: Object, target: Object) -> bool:
    name = item["metadata"]["name"]
    return bool(item["kind"] == target["kind"] and target.get("name", name) == name)


def _apply(item: Object, operation: Object) -> None:
    *way, last = operation["path"].strip("/").split("/")
    place: Any = item
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if operation["op"] == "replace":
        assert last in place, f"{operation['path']} is not there to be replaced"
    else:
        assert operation["op"] == "add"
        assert last not in place, f"{operation['path']} is there already"
    place[last] = copy.deepcopy(operation["value"])


def _place(item: Object, namespace: str) -> None:
    if item["kind"] in CLUSTER_WIDE:
        assert item["metadata"]["name"] == namespace  # versions of kustomize differ in whether they rename it
    else:
        item["metadata"]["namespace"] = namespace
    for subject in item.get("subjects", []):
        subject["namespace"] = namespace
