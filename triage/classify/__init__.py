"""The classifier: readings become assessments, by an additive model and safety rules."""

from triage.classify.classifier import Classifier
from triage.classify.files import ModelFiles, default_models_dir

__all__ = ["Classifier", "ModelFiles", "default_models_dir"]
