"""What the proxy is measured beside: an upstream that answers at once, and a bare handler that forwards to it."""

from __future__ import annotations

import sys
from itertools import cycle

import httpx2
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from texts import Writer

WRITER = Writer(seed=9)
ANSWERS = [WRITER.text(160) for _ in range(1000)]
SHAPE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "m",
    "usage": {"prompt_tokens": 20, "completion_tokens": 14, "total_tokens": 34},
}


def answering() -> FastAPI:
    """The upstream; it never says the same twice in a run."""
    app = FastAPI()
    said = cycle(ANSWERS)

    @app.post("/v1/chat/completions")
    async def answer(request: Request) -> Response:
        await request.body()
        message = {"role": "assistant", "content": next(said)}
        return JSONResponse({**SHAPE, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    return app


def forwarding(upstream: str) -> FastAPI:
    """Passes a chat on, and its answer back, and does nothing else."""
    app = FastAPI()
    client = httpx2.AsyncClient(trust_env=False)

    @app.post("/v1/chat/completions")
    async def forward(request: Request) -> Response:
        headers = {"Content-Type": "application/json", "Authorization": request.headers.get("authorization", "")}
        body = await request.body()
        reply = await client.post(f"{upstream}/chat/completions", content=body, headers=headers)
        return Response(reply.content, reply.status_code, media_type=reply.headers["content-type"])

    return app


if __name__ == "__main__":
    port, *upstream = sys.argv[1:]
    uvicorn.run(forwarding(upstream[0]) if upstream else answering(), port=int(port), log_level="error")
