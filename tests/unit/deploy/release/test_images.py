"""Releases that are images too."""

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.release.images import ImageReleases
from tests.support.deploy_fakes import FakeReleases


@pytest.mark.parametrize(
    ("version", "images", "as_built", "found"),
    [
        ("1", {"pikkit-ml-api:1"}, False, True),
        ("1", {"pikkit-ml-api:2"}, False, False),  # its image is to be built
        ("1", {}, True, True),
        ("2", {"pikkit-ml-api:2"}, False, False),
    ],
)
def test_a_release_is_reused_where_its_image_is_there_too(
    version: str, images: set[str], *, as_built: bool, found: bool
) -> None:
    engine: Any = SimpleNamespace(has_image=lambda tag: tag in images)
    nothing: Any = None
    store = FakeReleases("1")
    release = ImageReleases(store, nothing, engine, nothing).find(version, None, as_built=as_built)
    assert (release is store.made["1"]) == found
