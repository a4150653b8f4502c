"""What one writes first, FastAPI over a DuckDB table: ``python -m benchmarks.plain_reader FILE PORT``."""

import sys
from typing import Any

import duckdb
import uvicorn
from fastapi import FastAPI


def create_app(path: str) -> FastAPI:
    """Serve the table ``bars`` of a DuckDB file, encoded as FastAPI does by itself."""
    app = FastAPI()
    connection = duckdb.connect(path, read_only=True)

    @app.get("/klines")
    def read_klines(limit: int) -> list[dict[str, Any]]:
        found = connection.cursor().execute("SELECT * FROM bars ORDER BY open_time LIMIT ?", [limit])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
