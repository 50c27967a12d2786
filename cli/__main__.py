"""`python -m flux_cli` is `flux`."""

import sys

from .main import main

sys.exit(main())
