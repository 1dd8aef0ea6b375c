"""The programs of `.ci`, which are no package."""

import importlib.util
from types import ModuleType

from tests.support.need import root


def ci_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root() / f".ci/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
