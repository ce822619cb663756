"""What a server counts, for Prometheus. No label names a tenant, a key or a memory."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mnemos_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "mnemos_request_seconds", "Time to the whole answer.", ("route",), buckets=BUCKETS, registry=self.registry
        )
        self.in_hand = Gauge("mnemos_requests_in_hand", "Requests being answered.", registry=self.registry)
        self.open_stores = Gauge("mnemos_open_stores", "Stores held open.", registry=self.registry)
        self.queued = Gauge("mnemos_queue", "Calls waiting or at work.", ("lane",), registry=self.registry)
        self.derived = Counter("mnemos_memories_derived", "New memories read by derivation.", registry=self.registry)
        self.failures = Counter(
            "mnemos_maintenance_failures", "Passes of maintenance that failed.", registry=self.registry
        )
        self.jobs = Counter("mnemos_jobs", "Jobs that ended, well or not.", ("kind", "state"), registry=self.registry)
        self.jobs_waiting = Gauge("mnemos_jobs_waiting", "Jobs that wait or run.", registry=self.registry)
        self.proxied = Counter(
            "mnemos_proxy",
            "Exchanges of the proxy by what became of recall (used, none, failed) and of learning (learned, spooled, "
            "replayed, lost).",
            ("step", "outcome"),
            registry=self.registry,
        )
        self.spooled = Gauge("mnemos_proxy_spool_bytes", "Exchanges that wait for their store.", registry=self.registry)

    def render(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
