"""What the server is measured beside: a bare FastAPI handler that does one SQLite read, under the same uvicorn."""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

LOCAL = threading.local()


def application(file: Path) -> FastAPI:
    """POST to any path reads one row."""
    app = FastAPI()

    @app.post("/{path:path}")
    def read(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(LOCAL, "connection"):
            LOCAL.connection = sqlite3.connect(file)
        count = LOCAL.connection.execute("SELECT count(*) FROM rows WHERE num = ?", (len(path),)).fetchone()[0]
        return {"count": count, "memories": []}

    return app


if __name__ == "__main__":
    database = Path(sys.argv[1])
    with sqlite3.connect(database) as made:
        made.execute("CREATE TABLE IF NOT EXISTS rows (num INTEGER PRIMARY KEY)")
        made.executemany("INSERT OR IGNORE INTO rows VALUES (?)", [(number,) for number in range(1000)])
    uvicorn.run(application(database), port=int(sys.argv[2]), log_level="error")
