"""The language step: a post's text becomes a reading.

>>> from datetime import datetime, timezone
>>> from triage.post import Post
>>> post = Post(id="1", text="Brand!🙏🏽 Zo’n rook", created_at=datetime.now(timezone.utc))
>>> Reader().read([post])[0].tokens
('brand', '🙏', "zo'n", 'rook')
"""

from __future__ import annotations

from triage.language.cut import Span
from triage.language.reader import Reader, spans

__all__ = ["Reader", "Span", "spans"]
