"""Makes the conditional writes of moto atomic.

moto looks whether there is an object and writes it later, so two requests at the same time may both
find none and both be told that they have made it; S3 promises that one of them is. Python imports
this file when the server starts, because the directory is in `PYTHONPATH`.
"""

import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")

answer = DomainDispatcherApplication.__call__
one_at_a_time = threading.Lock()


def call(self, environ, start_response):
    writes = environ["REQUEST_METHOD"] not in ("GET", "HEAD")
    if writes and any(condition in environ for condition in CONDITIONS):
        with one_at_a_time:
            return answer(self, environ, start_response)
    return answer(self, environ, start_response)


DomainDispatcherApplication.__call__ = call
