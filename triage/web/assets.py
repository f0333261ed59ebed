"""Styles and scripts, under an address that names their content: a browser keeps them for good."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from triage.errors import Refused

#: What stands for the organisation's own tokens.
OWN_TOKENS: Final = "eigen.css"
_FOREVER: Final = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Our static files and, where it has one, the organisation's style sheet."""

    def __init__(self, folder: Path, tokens: Path | None) -> None:
        """Take in what is there. Raises Refused where the style sheet can't be read."""
        super().__init__(directory=folder)
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
        self._tokens = tokens
        if tokens is not None:
            try:
                digest.update(tokens.read_bytes())
            except OSError as error:
                raise Refused(f"{tokens}: niet te lezen ({error.strerror})") from None
        #: Where they are.
        self.root = f"/static/{digest.hexdigest()[:16]}"

    def address(self, name: str) -> str:
        """Give the address of a file."""
        return f"{self.root}/{name}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file."""
        if path == OWN_TOKENS:
            if self._tokens is None:
                return Response(b"", media_type="text/css", headers={"Cache-Control": _FOREVER})
            found = FileResponse(self._tokens, media_type="text/css")
            found.headers["Cache-Control"] = _FOREVER
            return found
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Give a file that never changes under this address."""
        found = super().file_response(full_path, stat_result, scope, status_code)
        found.headers["Cache-Control"] = _FOREVER
        return found
