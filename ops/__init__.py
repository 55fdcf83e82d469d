"""The command `fcn`. It pins torch's kernels before any command loads torch."""

import pipeline as pipeline
