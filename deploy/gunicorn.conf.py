"""gunicorn in front of the site: `gunicorn --config deploy/gunicorn.conf.py 'bounty.app:create_app()'`."""

import multiprocessing
import os

bind = os.environ.get("BOUNTY_BIND", "127.0.0.1:8000")
worker_class = "gthread"  # a page waits for the database; an import runs in a process of its own
workers = min(multiprocessing.cpu_count(), 4)
threads = 4
timeout = 60
graceful_timeout = 30
max_requests, max_requests_jitter = 20_000, 2_000
worker_tmp_dir = "/dev/shm"  # noqa: S108 - its heartbeat; on a disk that stalls, workers would be killed for nothing
accesslog = None  # the site writes a line for every request itself, without addresses and queries
# What gunicorn itself says goes where the site's log goes, in its form.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True, "level": "INFO"}},
    "root": {"handlers": [], "level": "INFO"},
}


def child_exit(_server, worker):
    """Figures of a worker that has ended are summed up with those of the others."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 - only where figures are kept

        multiprocess.mark_process_dead(worker.pid)
