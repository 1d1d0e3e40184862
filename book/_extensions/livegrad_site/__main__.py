"""Write the explorables' bare pages: `PYTHONPATH=book/_extensions python -m livegrad_site [FOLDER]`."""

import sys
from pathlib import Path

from .explorables import write_bare_pages
from .paths import ROOT

write_bare_pages(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "explorables")
