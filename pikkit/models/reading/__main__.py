"""`python -m pikkit.models.reading COPY SET SHA256`: a copied user set to a checked, native one, within limits.

Its last line says what came of it: `{"ok": true}` or `{"error": message, "code": code}`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
from pathlib import Path

from pikkit.errors import ModelError, outlived

_MEMORY_BYTES = 4 * 1024**3
_CPU_S = 120
_NICE = 10  # what serves goes first; a tenth of a core that is busy all the time still converts a set in 20 s


def main(copy: Path, into: Path, source_sha256: str) -> None:
    """Convert, and tell what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where memory runs out all the same, this process is to go, and no worker
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    os.nice(_NICE)
    refused: list[dict[str, str]] = []
    with outlived(lambda cause: refused.append(_refusal(cause))):  # a foreign model may raise anything when it is asked
        from pikkit.models.reading.whole_set import write  # noqa: PLC0415 - after the limits, as all that it imports

        write(copy, into, source_sha256)
    print(json.dumps(refused[0] if refused else {"ok": True}))  # noqa: T201 - the answer to the parent


def _refusal(cause: Exception) -> dict[str, str]:
    code = "invalid_model"
    match cause:
        case ModelError():
            said, code = cause.message, cause.code
        case OSError():
            said = f"the converted models can't be written ({cause.strerror or cause}): make room, or set DATA_DIR"
            code = "internal_error"
        case MemoryError():
            said = "the model files need more memory than models may: train them again"
        case _:
            words = " ".join(str(cause).split())[:300]
            said = f"the models can't be used ({type(cause).__name__}: {words}): train them again"
    return {"error": said, "code": code}


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("copy", type=Path, help="folder with a copy of the user's set")
    asked.add_argument("set", type=Path, help="folder to be made")
    asked.add_argument("sha256", help="of the user's files")
    named = asked.parse_args()
    main(named.copy, named.set, named.sha256)
