"""One thread for all tests: figures do not depend on the machine, and small tensors are faster that way."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
