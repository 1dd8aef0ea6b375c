"""What holds for all tests: a BentoML home of their own, read when BentoML is imported."""

import atexit
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="pikkit-tests-")
os.environ["BENTOML_HOME"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
