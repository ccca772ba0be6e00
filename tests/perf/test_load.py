"""What `esdh serve` bears, beside a bare Flask route that returns a constant of the same size: `just bench`."""

import http.client
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from budgets import Row
from serving import ESDH, Server, serving

CLIENTS = 4
REQUESTS = 1_000  # of each client, on one connection


@dataclass(frozen=True)
class Load:
    """What a server did under load."""

    seconds: float
    latencies: list[float]
    sizes: set[int]

    @property
    def a_second(self) -> float:
        """Requests a second, all clients together."""
        return len(self.latencies) / self.seconds

    def text(self) -> str:
        """Return the figures."""
        cuts = statistics.quantiles(self.latencies, n=100)
        return f"{self.a_second:,.0f} requests/s, p50 {cuts[49] * 1e3:.2f} ms, p99 {cuts[98] * 1e3:.2f} ms"


def load(server: Server, path: str, body: bytes) -> Load:
    """Send every client's requests; any answer but 200 is an error."""

    def client(_: int) -> list[tuple[float, int]]:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        done = []
        for _ in range(REQUESTS):
            began = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            size = len(answer.read())
            assert 200 == answer.status
            done.append((time.perf_counter() - began, size))
        connection.close()
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        done = list(chain.from_iterable(clients.map(client, range(CLIENTS))))
    return Load(time.perf_counter() - began, [each for each, _ in done], {size for _, size in done})


@pytest.mark.parametrize(("name", "records"), [("person", 5), ("bundle", 5), ("bundle", 100)])
def test_load_beside_a_bare_route(name: str, records: int, row: Row, tmp_path: Path) -> None:
    """Thousands of requests of several clients all succeed, within a budget over a bare Flask route."""
    path, body = f"/generate/{name}", b'{"records": %d}' % records
    with serving(command=ESDH) as server:
        connection = http.client.HTTPConnection(server.host, server.port)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        (tmp_path / "body").write_bytes(connection.getresponse().read())
        connection.close()
        ours = load(server, path, body)
        assert 0 == server.stop()
    bare_server = Path(__file__).with_name("bare_server.py")
    with serving(command=[sys.executable, str(bare_server), str(tmp_path / "body")]) as server:
        bare = load(server, "/", body)
    assert {(tmp_path / "body").stat().st_size} == ours.sizes == bare.sizes
    ratio = bare.a_second / ours.a_second
    row(
        f"load-{name}-{records}",
        ratio,
        ours=ours.text(),
        theirs=bare.text(),
        how=f"one run each, {CLIENTS} clients, {len(ours.latencies):,} requests",
    )
