"""`python -m simulacra`."""

import sys

from simulacra.cli.main import main

sys.exit(main())
