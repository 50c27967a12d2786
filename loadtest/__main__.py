"""`python -m loadtest`."""

from .commands import main

main()
