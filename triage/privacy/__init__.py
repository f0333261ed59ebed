"""Personal data: what of it is in a text, and the text without it.

>>> from triage.language.entities import find
>>> Masker(b"secret", find).mask("Bel Jan de Vries, 06-12345678").text
'Bel [NAAM-1], [TELEFOON-1]'
"""

from triage.privacy.masker import LABELS, Masked, MaskedSpan, Masker

__all__ = ["LABELS", "Masked", "MaskedSpan", "Masker"]
