"""MLServer by the book: `python -m rivals.stock_mlserver PORT`, its XGBoost runtime on the bare model.

It takes feature rows in the V2 protocol, so the caller has to compute them: it does less than all others here.
"""

import json
import sys
import tempfile
from pathlib import Path

from mlserver.cli.main import main
from rivals.models import load

if __name__ == "__main__":
    port = int(sys.argv[1])
    folder = Path(tempfile.mkdtemp())
    model, _ = load()
    model.save_model(folder / "model.json")
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {
        "name": "bets",
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": str(folder / "model.json")},
    }
    (folder / "model-settings.json").write_text(json.dumps(described))
    sys.argv = ["mlserver", "start", str(folder)]
    main()
