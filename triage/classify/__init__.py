"""The classifier: readings become assessments, by an additive model and safety rules."""

from triage.classify.classifier import Classifier
from triage.classify.explain import Account, Explanation, Piece
from triage.classify.files import ModelFiles, default_models_dir

__all__ = ["Account", "Classifier", "Explanation", "ModelFiles", "Piece", "default_models_dir"]
