"""`python -m central_server`: see cli.py."""

import sys

from central_server.cli import main

sys.exit(main(sys.argv[1:]))
