"""The web room in process: the real gateway and handlers before a grader of the test's own (or a real one)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from starlette.types import ASGIApp

from pikkit.errors import InvalidBet
from pikkit.grading.grader import Grader, Job, Options
from pikkit.settings import Settings
from pikkit.telemetry.metrics import Metrics
from pikkit.web.gateway import Gateway
from pikkit.web.handlers import Handlers
from pikkit.web.merger import Merger
from pikkit.web.mounted import mounted
from pikkit.web.routes import endpoints

FIGURES = {"expected_roi": 0.0, "win_probability": 0.5}
ORIGIN = "https://book.example"


class FakeGrader:
    """Answers with what it was asked; `told` is called first, and may raise or take its time."""

    def __init__(self, told: Callable[[object], None] = lambda _: None) -> None:
        self.told = told
        self.asked: list[tuple[object, Options]] = []

    def read(self, data: Any, options: Options) -> Job:
        self.asked.append((data, options))
        return Job(models=None, raw=[data], bets=[data], options=options)  # type: ignore[arg-type]

    def explains_slowly(self) -> bool:
        return True

    def read_batch(self, data: Any, options: Options, undecoded: Mapping[int, InvalidBet]) -> Job:
        self.asked.append((data, options))
        bets = [undecoded.get(index, bet) for index, bet in enumerate(data["bets"])]
        return Job(None, data["bets"], bets, options, undecoded)  # type: ignore[arg-type]

    def grade(self, jobs: Sequence[Job]) -> list[list[Any]]:
        for data in (data for job in jobs for data in job.valid(job.raw)):
            self.told(data)
        return [
            [
                {"bet_grade": "C", "warnings": list(job.options.warnings), "sent": data, **FIGURES}
                for data in job.valid(job.raw)
            ]
            for job in jobs
        ]


class FakeStatus:
    """A service that is ready."""

    def ready(self) -> bool:
        return True

    def health(self) -> dict[str, Any]:
        return {"status": "healthy", "models_loaded": True}

    def model_info(self) -> dict[str, Any]:
        return {"bundle_tag": "pikkit_bet_models:1"}

    def drift(self) -> dict[str, Any]:
        return {"features": []}

    async def reload(self) -> dict[str, Any]:
        return {"status": "success"}


class Web:
    """A gateway with real handlers; `layers` puts an application of the test's own in the place of BentoML's."""

    def __init__(
        self,
        *,
        told: Callable[[object], None] = lambda _: None,
        grader: Grader | None = None,
        merger: Merger | None = None,
        layers: Callable[[ASGIApp], ASGIApp] | None = None,
        **settings: Any,
    ) -> None:
        made = Settings(_env_file=None, **{"cors_origins": (ORIGIN,), "access_log": 0, **settings})
        self.grader = FakeGrader(told)
        self.metrics = Metrics(made, endpoints=endpoints())
        served: Any = grader or self.grader
        status: Any = FakeStatus()
        self.handlers = Handlers(
            served, status, merger=merger or Merger(served.grade), scrape=self.metrics.scrape, document={}
        )
        inner: ASGIApp = mounted(lambda: self.handlers)
        self.app = Gateway(
            layers(inner) if layers else inner,
            self.handlers,
            settings=made,
            metrics=self.metrics,
            shortcut=layers is None,
        )

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"origin": ORIGIN})

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def scenario() -> httpx.Response:
            async with self.client() as http:
                return await http.request(method, path, **more)

        return asyncio.run(scenario())

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """As `asked`."""
        return asyncio.run(self.asked(method, path, **headers))

    async def asked(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """The answer to a request with exactly this decoded path, past what a client would mend."""
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"evil.example"), *((k.encode(), v.encode()) for k, v in headers.items())],
        }
        await self.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, body


def busy(seconds: float) -> Callable[[object], None]:
    """A grader that takes its time, in a thread of its own for explained bets."""
    return lambda _: time.sleep(seconds)
