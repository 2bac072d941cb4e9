"""headstart as a submission for the AutoDL challenge: written by `headstart export --as submission`.

The package and its weights lie beside this file; nothing is downloaded or installed. It needs Python 3.11 or newer
with numpy, onnxruntime, Pillow, scipy and threadpoolctl; what is missing may lie in a folder `site` beside this file.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = "numpy, onnxruntime, Pillow, scipy and threadpoolctl"

if sys.version_info < (3, 11):  # noqa: UP036 - the platform chooses the interpreter
    raise RuntimeError(f"headstart needs Python 3.11 or newer, this is {sys.version.split()[0]}")
sys.path.insert(0, HERE)
sys.path.append(os.path.join(HERE, "site"))  # last: two numpys in one process would not get along
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # headstart has its own worker threads
try:
    from headstart.challenge.submitted import Submitted
except ImportError as error:
    raise ImportError(
        f"headstart needs {NEEDED} ({error}): put them into {os.path.join(HERE, 'site')}"
    ) from error


class Model(Submitted):
    """What the challenge calls: Model(metadata), train, test, done_training."""
