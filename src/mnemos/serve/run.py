"""Listening: the application under uvicorn, until a signal asks it to stop and what is in hand is finished."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from mnemos.serve.settings import Settings


def listener(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The uvicorn server of an application; `run()` of it returns after the last request in hand was answered."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        timeout_graceful_shutdown=int(settings.drain),
    )
    return uvicorn.Server(config)
