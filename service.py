"""The Bento service: `bentoml serve service:PikkitMlApi`. Routes and hooks; what they do is in pikkit/."""

from __future__ import annotations

import bentoml

from pikkit.runtime import prepare_runtime_dir

RUNTIME_DIR = prepare_runtime_dir()  # before anything makes a metric

from pikkit.bets import BatchAnswer
from pikkit.grader import BatchJob
from pikkit.settings import Settings
from pikkit.web.app import Application
from pikkit.web.batch import BatchInput, BatchOutput
from pikkit.web.config import service_config
from pikkit.web.gateway import Gateway
from pikkit.web.routes import BATCH_PATH

SETTINGS = Settings.load()
APPLICATION = Application(SETTINGS, RUNTIME_DIR)


@bentoml.service(name="pikkit_ml_api", **service_config(SETTINGS))
@bentoml.asgi_app(APPLICATION.router(), path="/")
class PikkitMlApi:
    """Grades sports bets."""

    def __init__(self) -> None:
        APPLICATION.load()

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Begin to watch for new models and to deliver alerts."""
        await APPLICATION.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Finish what is under way."""
        await APPLICATION.stop()

    def __is_ready__(self) -> bool:
        return APPLICATION.ready()

    @bentoml.api(  # type: ignore[untyped-decorator]
        route=BATCH_PATH,
        batchable=True,
        max_batch_size=16,  # requests of up to 100 bets
        max_latency_ms=60_000,  # a shedding threshold, not a wait: the gateway bounds the load instead
        input_spec=BatchInput,
        output_spec=BatchOutput,
    )
    async def batch_predict(self, requests: list[BatchJob]) -> list[BatchAnswer]:
        """Grade the batches that arrived meanwhile, together; a request is never split."""
        return APPLICATION.grade_batches(requests)


PikkitMlApi.add_asgi_middleware(Gateway, **APPLICATION.gateway_options())  # type: ignore[attr-defined]
