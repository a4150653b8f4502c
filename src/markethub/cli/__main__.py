"""``python -m markethub.cli``: the command line of exactly this interpreter."""

from markethub.cli.main import run

run()
