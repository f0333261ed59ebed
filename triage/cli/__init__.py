"""The ``triage`` command. Exit status: 0 done, 1 some input was wrong, 2 the operator must act."""

from triage.cli import access_commands as access_commands  # its commands join the app
from triage.cli.app import app
from triage.cli.learning import register

register(app)

__all__ = ["app"]
