"""A set of two models, its metadata and its history: from foreign files to what workers load."""

from __future__ import annotations

import json
from pathlib import Path

from pikkit.errors import ModelError
from pikkit.features.spec import FeatureSpec
from pikkit.history.history import History
from pikkit.models.conversion import STORE_NAME
from pikkit.models.loading import FORMAT, MANIFEST, file_sha256, load_engine, load_set
from pikkit.models.metadata import check_contract, read_json, read_metadata
from pikkit.models.reading.native import save
from pikkit.models.reading.one_model import read_model
from pikkit.models.reading.probes import check_canary, check_missing, disagreeing, probe_rows
from pikkit.models.user_files import HISTORY_FILE, METADATA_FILE, ROI_FILE, WIN_FILE

__all__ = ["write"]


def write(copy: Path, into: Path, source_sha256: str) -> None:
    """Read, check and write the set; where it is refused, what lies in `into` is of no use.

    Raises:
        UnsafePickle: a pickle asks for what is not allowed.
        ModelError: the set can't be served; the message says why.
    """
    metadata = read_metadata(copy / METADATA_FILE)
    spec = FeatureSpec.from_metadata(metadata)
    version = metadata["timestamp"]
    history = History.from_json(read_json(copy / HISTORY_FILE)) if (copy / HISTORY_FILE).is_file() else History.empty()
    check_contract(metadata, spec.names)
    models = {"win": read_model(copy / WIN_FILE, spec.names), "roi": read_model(copy / ROI_FILE, spec.names)}
    check_missing(models, spec)
    into.mkdir()
    engines = {name: save(model, into, name) for name, model in models.items()}
    (into / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    (into / "history.json").write_text(json.dumps(history.to_json()), encoding="utf-8")

    def write_manifest() -> None:
        manifest = {
            "format": FORMAT,
            "version": version,
            "tag": f"{STORE_NAME}:{version}",
            "source_sha256": source_sha256,
            "engines": engines,
            "files": {path.name: file_sha256(path) for path in sorted(into.iterdir()) if path.name != MANIFEST},
        }
        (into / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    write_manifest()
    probes = probe_rows(models, spec.names)
    for _ in range(2):
        off = disagreeing(models, load_set(into), load_engine(into, "roi", engines["roi"]), probes)
        if not off:
            check_canary(into, engines, probes)
            return
        for name in off:  # ONNX sums in another order; where that shows, XGBoost itself serves
            if engines[name]["type"] != "onnx":
                raise ModelError(f"the {name} model predicts otherwise after the import: report this set")
            engines[name] = {**engines[name], "type": "xgboost"}
            (into / f"{name}.onnx").unlink()
        write_manifest()
    raise ModelError("the models predict otherwise after the import: report this set")
