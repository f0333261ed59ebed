"""The models of a deployment: which versions there are, which judges, which shadows, what they see.

Nothing here imports scikit-learn: workers and the server use it. Training and evaluation stand in
``triage.learn``.
"""

from triage.models.registry import Registry, Version
from triage.models.store import default_registry

__all__ = ["Registry", "Version", "default_registry"]
