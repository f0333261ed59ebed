"""Labels that people gave: from the outcomes log to rows that a model can learn from.

Nothing here imports scikit-learn: the server uses it.
"""

from triage.labels.masking import Masker, masker_of
from triage.labels.rows import Row, Status

__all__ = ["Masker", "Row", "Status", "masker_of"]
