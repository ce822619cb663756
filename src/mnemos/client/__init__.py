"""A client for the server: the library's verbs, its records and its errors, over HTTP; sync and async.

Needs `pip install "mnemos[client]"`.
"""

from mnemos.client.clients import AsyncClient, Client
from mnemos.client.errors import (
    BadReply,
    Forbidden,
    JobFailed,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from mnemos.client.jobs import Job

__all__ = [
    "AsyncClient",
    "BadReply",
    "Client",
    "Forbidden",
    "Job",
    "JobFailed",
    "RateLimited",
    "ServerError",
    "Unauthorized",
    "Unreachable",
]
