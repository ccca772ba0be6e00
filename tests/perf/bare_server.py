"""A Flask route that returns a constant body, under waitress as `esdh serve` runs it: what a request costs at least.

`python bare_server.py FILE --port 0` answers every POST to / with the JSON in FILE.
"""

import sys
from pathlib import Path

from flask import Flask, Response
from waitress import create_server

body = Path(sys.argv[1]).read_bytes()
app = Flask(__name__)


@app.post("/")
def constant() -> Response:
    """Return the body."""
    return Response(body, content_type="application/json")


server = create_server(app, host="127.0.0.1", port=int(sys.argv[-1]), threads=4)
print(f"Listening on http://127.0.0.1:{server.effective_port}", flush=True)
server.run()
