"""`python -m svdicl_lite.cli` is `svdicl`."""

from svdicl_lite.cli.commands import app

app(prog_name="svdicl")
