"""A small project that BentoML really builds and serves: the stub behind a real `bentoml serve`."""

import json
import shutil
from pathlib import Path

from tests.support.need import root

_SERVICE = '''
import bentoml
from stub import app

QUIET = {"access": {"enabled": False}}

@bentoml.service(name="pikkit_ml_api", workers=1, metrics={"enabled": False}, logging=QUIET)
@bentoml.asgi_app(app, path="/")
class PikkitMlApi:
    """A stand-in."""
'''

# An import without BentoML's own, which takes a second: an empty model, and the same for all.
_IMPORT = """
import json, os
from pathlib import Path

model = {
    "name": "stub_models", "version": "1", "module": "", "labels": {}, "options": {}, "metadata": {}, "signatures": {},
    "context": {
        "framework_name": "", "framework_versions": {}, "bentoml_version": "1.4.40", "python_version": "3.11.7"
    },
    "api_version": "v1", "creation_time": "2026-01-01T00:00:00+00:00",
}
folder = Path(os.environ["BENTOML_HOME"]) / "models/stub_models/1"
folder.mkdir(parents=True, exist_ok=True)
(folder / "model.yaml").write_text(json.dumps(model))
(folder.parent / "latest").write_text("1")
print(json.dumps({"tag": "stub_models:1", "sha256": "", "golden": []}))
"""


def make_project(folder: Path) -> Path:
    """service.py, bentofile.yaml and models; `told` in stub.json can be changed to make another tree."""
    folder.mkdir(parents=True)
    (folder / "service.py").write_text(_SERVICE)
    (folder / "requirements").mkdir()
    (folder / "requirements/serve.txt").write_text("bentoml\n")
    shutil.copy(root() / "tests/support/deploy_stub.py", folder / "stub.py")
    (folder / "bentofile.yaml").write_text(
        "service: service:PikkitMlApi\ninclude: ['service.py', 'stub.py']\n"
        "python:\n  packages: []\n  lock_packages: false\n"
    )
    (folder / "import_models.py").write_text(_IMPORT)
    make_models(folder / "models", "1")
    return folder


def make_models(folder: Path, timestamp: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("win_probability_model_latest.pkl", "roi_prediction_model_latest.pkl"):
        (folder / name).write_bytes(timestamp.encode())
    (folder / "model_metadata_latest.json").write_text(json.dumps({"timestamp": timestamp}))
    return folder
