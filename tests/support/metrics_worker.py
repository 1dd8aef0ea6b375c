"""A process that counts as a service worker does: `python -m tests.support.metrics_worker FOLDER N`.

Prints a line for each command that it has carried out: `count` counts N requests and bets, `render` prints the
metrics, `hold` begins a request and never ends it.
"""

import os
import sys
from typing import Any

os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]

from pikkit.settings import Settings
from pikkit.telemetry.metrics import Metrics
from tests.support.samples import a_bet, a_model_set, a_prediction

metrics = Metrics(Settings(workers=4, deployment="blue", app_version="7"))
metrics.join()
models: Any = a_model_set()
metrics.model_loaded(models)
print("ready", flush=True)  # noqa: T201 - the protocol
for line in sys.stdin:
    command = line.strip()
    if command == "count":
        for _i in range(int(sys.argv[2])):
            metrics.begin()
            metrics.predictions([a_bet()], [a_prediction("A")], models)
            metrics.end("predict", 200, 0.004)
    elif command == "hold":
        metrics.begin()
    elif command == "render":
        sys.stdout.buffer.write(metrics.render())
    print("done", flush=True)  # noqa: T201 - the protocol
