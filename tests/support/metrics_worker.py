"""A process that counts as a service worker does: `python -m tests.support.metrics_worker FOLDER N`.

Prints a line for each command that it has carried out: `count` counts N requests and bets, `render` prints the
metrics, `hold` begins a request and never ends it, `beat` does what a second brings, `full` makes every write into a
file fail from now on, `look` looks after the other workers.
"""

import resource
import sys
from pathlib import Path
from typing import Any

import structlog

from pikkit.settings import Settings
from pikkit.telemetry.backlog import Answered
from pikkit.telemetry.metrics import Metrics
from pikkit.telemetry.worker_health import WorkerHealth
from tests.support.samples import a_bet, a_model_set, a_prediction

structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
metrics = Metrics(
    Settings(deployment="blue", app_version="7"), Path(sys.argv[1]), endpoints=["predict"], workers_expected=4
)
metrics.worker.join()
metrics.worker.say(start_s=1.0)  # as one whose event loop runs
health = WorkerHealth(metrics.worker.alive, 4, ended=metrics.worker_ended)
models: Any = a_model_set()
metrics.model_loaded(models)
print("ready", flush=True)  # noqa: T201 - the protocol
for line in sys.stdin:
    command = line.strip()
    if command == "count":
        for _i in range(int(sys.argv[2])):
            metrics.predictions([a_bet()], [a_prediction("A")], models)
            metrics.answered(Answered("predict", 200, 0.004))
            metrics.worker.flush()
    elif command == "hold":
        metrics.in_progress += 1
        metrics.worker.flush()
    elif command == "beat":
        metrics.worker.beat()
    elif command == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    elif command == "look":
        metrics.worker.beat()
        health.look()
    elif command == "render":
        sys.stdout.buffer.write(metrics.render())
    print("done", flush=True)  # noqa: T201 - the protocol
