"""Runs every benchmark of this folder, each in a process of its own: `python benchmarks`."""

import subprocess
import sys
from pathlib import Path

for file in sorted(Path(__file__).parent.glob("[!_]*.py")):
    print(f"\n=== {file.name}", flush=True)
    subprocess.run([sys.executable, str(file), *sys.argv[1:]], check=True)
