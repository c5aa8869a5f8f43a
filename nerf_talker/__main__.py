"""``python -m nerf_talker``."""

import sys

from nerf_talker.cli import main

sys.exit(main())
