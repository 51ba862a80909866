"""`python -m winback`: the same as the `winback` command."""

from winback.cli import main

main()
