"""The Bento service: `bentoml serve service:PikkitMlApi`. APIs and hooks; what they do is in pikkit/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bentoml

from pikkit.bento import apis, options
from pikkit.bento.image import container_image
from pikkit.bento.lazy import LazyApplication
from pikkit.bento.lineage import ServedModels
from pikkit.bento.run_folder import prepare_runtime_dir
from pikkit.bento.server import bound_connections, close_control_endpoint
from pikkit.bento.start import settings_of_service
from pikkit.bets.bet import Bet
from pikkit.bets.prediction import BatchAnswer, Prediction
from pikkit.telemetry.logs import configure
from pikkit.web.mounted import mounted
from pikkit.web.routes import BATCH, PREDICT

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from pikkit.app import Application

NAME = "pikkit_ml_api"
SETTINGS = settings_of_service()
configure(SETTINGS)
RUNTIME_DIR = prepare_runtime_dir(SETTINGS.data_dir, SETTINGS.deployment)
close_control_endpoint()
bound_connections()


def _build() -> Application:
    from pikkit.app import Application  # noqa: PLC0415 - a second that BentoML's parent process need not spend

    return Application(SETTINGS, RUNTIME_DIR, workers=options.workers(NAME))


APPLICATION = LazyApplication(_build)


class Fronted(bentoml.Service):
    """A service that the gateway stands in front of; as a dependency of another it is BentoML's plain application."""

    def inject_config(self) -> None:
        """Take BentoML's own configuration, and refuse what of it can't be honoured."""
        super().inject_config()
        options.check(self.name)

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """What a server serves."""
        app = super().to_asgi(is_main=is_main)
        shortcut = not self.middlewares and not options.needs_layers(self.name)
        return APPLICATION.get().gateway(app, shortcut=shortcut) if is_main else app


@bentoml.service(name=NAME, image=container_image(), service_class=Fronted, **options.service_options(SETTINGS))
@bentoml.asgi_app(mounted(lambda: APPLICATION.get().handlers), path="/")
class PikkitMlApi:
    """Grades sports bets."""

    models = ServedModels(SETTINGS.model_dir)

    def __init__(self) -> None:
        APPLICATION.get().load()

    @bentoml.on_startup
    async def start(self) -> None:
        """Begin to watch for new models and to deliver alerts."""
        await APPLICATION.get().start()

    @bentoml.on_shutdown
    async def stop(self) -> None:
        """Finish what is under way."""
        await APPLICATION.get().stop()

    def __is_ready__(self) -> bool:
        return APPLICATION.get().ready()

    async def __metrics__(self, of_bentoml: str) -> str:
        return of_bentoml + await APPLICATION.get().scrape()

    @bentoml.api(route=PREDICT, input_spec=apis.BetInput)
    async def predict(self, bet: Bet, /) -> Prediction:
        """Grade one bet."""
        return await apis.predict(APPLICATION.get().handlers, bet)

    if SETTINGS.batching == "bentoml":

        @bentoml.api(route=BATCH, **options.BATCHABLE, input_spec=apis.MergedInput, output_spec=apis.MergedOutput)
        async def batch_predict(self, bets: list[Any]) -> list[Any]:
            """Grade the batches that arrived meanwhile, together."""
            return await apis.batch_predict_merged(APPLICATION.get().handlers, bets)

    else:

        @bentoml.api(route=BATCH, input_spec=apis.BatchInput)
        async def batch_predict(
            self, bets: list[Bet | Any], *, explain: bool = False, dry_run: bool = False
        ) -> BatchAnswer:
            """Grade 1 to 100 bets; a bad one costs only itself."""
            return await apis.batch_predict(APPLICATION.get().handlers, bets, explain=explain, dry_run=dry_run)
