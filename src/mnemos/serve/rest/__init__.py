"""The REST API under `/v1`: every verb of the library for programs in any language."""

from fastapi import APIRouter, Security

from mnemos.serve.depends import bearer
from mnemos.serve.rest import adding, asking, carrying, changing, deciding, jobs, knowing, listing, teaching

router = APIRouter(dependencies=[Security(bearer)])
for part in (adding, asking, changing, deciding, knowing, listing, teaching, carrying, jobs):
    router.include_router(part.router)

__all__ = ["router"]
