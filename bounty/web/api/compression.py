"""gzip for answers that are long enough to gain by it.

No answer repeats a part of the request beside a secret, so its length reveals nothing.
"""

import gzip

from flask import Response, request

LEAST_BYTES = 1_000
"""A shorter answer fits into one packet as it is."""
_LEVEL = 5  # of JSON, as small as by 9 but for some percent, in half the time


def compressed(response: Response) -> Response:
    """The answer by gzip where the asker takes it. The weak ETag stands for both forms."""
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= LEAST_BYTES and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
