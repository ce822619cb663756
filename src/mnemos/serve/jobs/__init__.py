"""Long work: queued in the ledger, done a slice at a time by the server's worker, begun again after a crash."""

from mnemos.serve.jobs.book import Job, JobBook, Progress
from mnemos.serve.jobs.runner import Runner
from mnemos.serve.jobs.uploads import Upload, Uploads

__all__ = ["Job", "JobBook", "Progress", "Runner", "Upload", "Uploads"]
