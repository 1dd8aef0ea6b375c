"""Modules that take seconds to import, for the test that uses one: every process of a run reads all tests."""

import importlib
from typing import Any


class Lazy:
    """A module that is imported once something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith(("_", "pytest")):  # what pytest looks for in everything that a test's module holds
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)


def jsonschema() -> Any:
    """With its checks of formats."""
    return importlib.import_module("jsonschema")


def kubernetes_validate() -> Any:
    """Needs jsonschema."""
    return importlib.import_module("kubernetes_validate")


def openapi_validate(document: Any) -> None:
    """Raises where the document is no OpenAPI; needs jsonschema."""
    importlib.import_module("openapi_spec_validator").validate(document)


def skops_io() -> Any:
    """It looks through all of scikit-learn."""
    return importlib.import_module("skops.io")


def github_schema() -> dict[str, Any]:
    """GitHub's schema of workflows."""
    module = importlib.import_module("check_jsonschema.builtin_schemas")
    return module.get_builtin_schema("vendor.github-workflows")  # type: ignore[no-any-return]
