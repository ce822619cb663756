"""A search keeps numpy's BLAS to one thread while it runs, and leaves it as it was."""

from __future__ import annotations

import threading

from threadpoolctl import threadpool_info, threadpool_limits

from mnemos.recall.cores import one_core


def blas_threads() -> list[int]:
    """Threads of numpy's own BLAS; other packages of the process may bring theirs."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]]


def test_one_thread_inside_and_what_was_set_before_outside() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        with one_core():
            assert set(blas_threads()) <= {1}
        assert blas_threads() == before


def test_each_of_several_threads_gets_one() -> None:
    seen: list[set[int]] = []

    def search() -> None:
        with one_core():
            seen.append(set(blas_threads()))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(counts <= {1} for counts in seen)
