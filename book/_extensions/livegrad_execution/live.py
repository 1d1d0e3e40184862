"""`make live`: serves a draft of the book on this machine, rebuilds it and reloads the page when a file changes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .chapters import Project
from .progress import say


@dataclasses.dataclass
class Rebuild:
    """Builds the draft in a process of its own, so that edited extensions and modules are read anew."""

    root: Path

    def __call__(self, *, changed_paths: Sequence[Path]) -> None:
        for path in list(changed_paths)[:3]:
            say(f"changed: {path.relative_to(self.root) if path.is_relative_to(self.root) else path}")
        command = [sys.executable, str(Path(__file__).parent), "draft", "--root", str(self.root)]
        code = subprocess.run(command, check=False).returncode
        say("up to date" if code == 0 else "not up to date: see above, and save again")


def serve(project: Project) -> int:
    """Build once, then serve until Ctrl-C."""
    import uvicorn
    from sphinx_autobuild.filter import IgnoreFilter
    from sphinx_autobuild.middleware import JavascriptInjectorMiddleware
    from sphinx_autobuild.server import RebuildServer
    from sphinx_autobuild.utils import find_free_port
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    html = project.build / "draft" / "html"
    rebuild = Rebuild(project.root)
    rebuild(changed_paths=())
    html.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{find_free_port()}"
    ignored = IgnoreFilter([], [r"__pycache__", r"\.pyc$", r"~$", r"\.sw[a-z]$", r"/\.#", r"/4913$"])
    watcher = RebuildServer([project.book, project.src, project.config, project.toc], ignored, rebuild)
    app = Starlette(
        routes=[
            WebSocketRoute("/websocket-reload", watcher, name="reload"),
            Mount("/", app=StaticFiles(directory=html, html=True, check_dir=False), name="static"),
        ],
        middleware=[Middleware(JavascriptInjectorMiddleware, ws_url=address)],
        lifespan=watcher.lifespan,
    )
    say(f"\nOpen http://{address} (Ctrl-C ends it)")
    uvicorn.run(app, host="127.0.0.1", port=int(address.rpartition(":")[2]), log_level="warning")
    return 0
