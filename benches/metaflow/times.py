"""Prints how long the steps of the latest run of `Bulk` took to store and to load its artifact."""
from datetime import datetime

from metaflow import Flow, namespace

namespace(None)
run = Flow("Bulk").latest_run
start = run["start"].task
made_at = start["made_at"].data
ended_at = start.finished_at
if isinstance(ended_at, datetime):
    ended_at = ended_at.timestamp()
print(ended_at - made_at, run["read"].task["read_in"].data)
