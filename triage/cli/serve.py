"""``serve``: the page and the API."""

from __future__ import annotations

import os
from contextlib import ExitStack

from triage.access import Drawer
from triage.access.open import open_access
from triage.cli.access import address_of
from triage.cli.build import make_look, open_parts
from triage.cli.process import MULTIPROC, now
from triage.cli.web import web_config
from triage.cli.whereabouts import tell
from triage.settings import Settings
from triage.web import create_app
from triage.web.server import serve


def run_serve(settings: Settings) -> None:
    """Serve the page and the API until SIGTERM."""
    config = web_config(settings, os.environ.get(MULTIPROC))
    with ExitStack() as stack:
        parts = open_parts(settings, stack, wait=True)
        access = stack.enter_context(open_access(settings.queue_url))
        access.get(Drawer.SESSION, "", now=now())  # a file of a newer version is told at the start
        app = create_app(
            config,
            log=parts.log,
            queue=parts.queue,
            access=access,
            profiles=parts.profiles,
            metrics=parts.metrics,
            look=make_look(settings, parts.profiles),
        )

        def listening(port: int) -> None:
            tell(settings.data, address_of(settings, port), stack)

        serve(app, settings.host, settings.port, listening)
