"""The settings, as each process of BentoML reads them when it imports the service."""

from __future__ import annotations

import sys

from bentoml import server_context
from bentoml.exceptions import BentoMLConfigException

from pikkit.settings import Settings, WrongSetting

__all__ = ["settings_of_service"]


def settings_of_service() -> Settings:
    """What is set. A wrong setting is one line of whatever command imports the service, which ends with 1.

    BentoML's commands tell errors of its own kind so. Others they show with a traceback, and a ValueError, while a
    Bento is served by its tag, they take for a tag that is none. Its worker processes tell no kind so: they end here.

    A worker that is started again while the service runs does without MODEL_DIR, as the others do: it loads what they
    agreed on, and /health tells what is missing.

    Raises:
        BentoMLConfigException: a setting is wrong.
    """
    in_worker = server_context.worker_index is not None
    try:
        return Settings.load(without_model_dir=in_worker)
    except WrongSetting as error:
        told = f"settings: {error}"
        if in_worker:
            sys.exit(told)
        raise BentoMLConfigException(told) from error
