"""What holds for all tests: a BentoML home of their own, read when BentoML is imported."""

import atexit
import os
import shutil
import tempfile

from pikkit.settings import Settings

_HOME = tempfile.mkdtemp(prefix="pikkit-tests-")
os.environ["BENTOML_HOME"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
for _name in Settings.model_fields:  # what the shell has set is no matter of the tests
    os.environ.pop(_name.upper(), None)
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
