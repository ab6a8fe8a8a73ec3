"""`python -m zeroconf_ai.cli`."""

from . import main

main(prog_name="zeroconf-ai")
