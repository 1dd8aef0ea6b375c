"""The model set that a Bento is built with, so that `bentoml get` names it. What serves is the hub's business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from bentoml import Tag
from bentoml.exceptions import BentoMLException
from bentoml.models import BentoModel

from pikkit.errors import ModelError
from pikkit.models.activation import active
from pikkit.models.conversion import STORE_NAME
from pikkit.models.importing import import_models

__all__ = ["ServedModels"]


@attrs.frozen
class ServedModels(BentoModel):
    """The set that a local server would serve: the active import, else that of MODEL_DIR, imported if it is not yet.

    A server starts without it: it has a store to fill, or models yet to come.
    """

    folder: Path  # MODEL_DIR
    tag: Any = attrs.field(init=False, factory=lambda: Tag(STORE_NAME, "latest"))

    def to_info(self, alias: str | None = None) -> Any:
        """What the Bento is to carry.

        Raises:
            BentoMLException: there is no set that could be served.
        """
        imported = active()
        try:
            outranks = imported is not None and imported.outranks(self.folder)
            tag = imported.tag if imported and outranks else import_models(self.folder)[0].tag
        except ModelError as cause:
            raise BentoMLException(f"no model set to build with: {cause.message}") from cause
        return BentoModel(tag).to_info(alias)

    def resolve(self, *_arguments: Any, **_options: Any) -> Any:
        """The newest set in the store; None where it is empty."""
        return self.stored
