"""Training: from a labelled corpus to a model on disk. The only importer of scikit-learn."""

from triage.learn.train import train
from triage.learn.verify import verify

__all__ = ["train", "verify"]
