"""The Bento service: `bentoml serve service:PikkitMlApi`. Routes and hooks; what they do is in pikkit/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml

from pikkit.bento.batch import BatchInput, BatchOutput
from pikkit.bento.config import BATCH_PATH, service_config
from pikkit.bento.image import container_image
from pikkit.bento.lazy import LazyApplication
from pikkit.bento.run_folder import prepare_runtime_dir
from pikkit.settings import Settings
from pikkit.telemetry.logs import configure

if TYPE_CHECKING:
    from pikkit.app import Application

SETTINGS = Settings.load()
configure(SETTINGS)
RUNTIME_DIR = prepare_runtime_dir(SETTINGS.data_dir, SETTINGS.deployment)


def _build() -> Application:
    from pikkit.app import Application  # noqa: PLC0415 - a second that BentoML's parent process need not spend

    return Application(SETTINGS, RUNTIME_DIR)


APPLICATION = LazyApplication(_build)


@bentoml.service(name="pikkit_ml_api", image=container_image(), **service_config(SETTINGS))
@bentoml.asgi_app(APPLICATION.router, path="/")
class PikkitMlApi:
    """Grades sports bets."""

    def __init__(self) -> None:
        APPLICATION.get().load()

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Begin to watch for new models and to deliver alerts."""
        await APPLICATION.get().start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Finish what is under way."""
        await APPLICATION.get().stop()

    def __is_ready__(self) -> bool:
        return APPLICATION.get().ready()

    @bentoml.api(  # type: ignore[untyped-decorator]
        route=BATCH_PATH,
        batchable=True,
        max_batch_size=16,  # requests of up to 100 bets
        max_latency_ms=60_000,  # a shedding threshold, not a wait: the gateway bounds the load instead
        input_spec=BatchInput,
        output_spec=BatchOutput,
    )
    async def batch_predict(self, requests: list[Any]) -> list[Any]:
        """Grade the batches that arrived meanwhile, together; a request is never split."""
        return await APPLICATION.get().grade_batches(requests)


PikkitMlApi.add_asgi_middleware(APPLICATION.gateway)  # type: ignore[attr-defined]
