"""What `esdh serve` bears, beside a bare Flask route that returns a constant of the same size: `just bench`."""

import http.client
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import pytest
from budgets import Row
from measuring import ratios
from serving import ESDH, Server, serving

CLIENTS = 4
REQUESTS = 200  # of each client and round, on one connection
ROUNDS = 7
JSON = {"Content-Type": "application/json"}


@dataclass
class Load:
    """What a server did under load, by round, and the processor time that its process took."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)

    def text(self) -> str:
        """Return the figures."""
        cuts = statistics.quantiles(self.latencies, n=100)
        requests = CLIENTS * REQUESTS
        return (
            f"{requests / min(self.seconds):,.0f} requests/s, p50 {cuts[49] * 1e3:.2f} ms, p99 {cuts[98] * 1e3:.2f} ms, "
            f"{statistics.median(self.processor) / requests * 1e6:.0f} us of the processor a request"
        )


def add_round(load: Load, server: Server, path: str, body: Callable[[], bytes]) -> None:
    """Send every client's requests; any answer but 200 is an error."""

    def client(_: int) -> list[tuple[float, int]]:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        done = []
        for _ in range(REQUESTS):
            sent = body()
            began = time.perf_counter()
            connection.request("POST", path, sent, JSON)
            answer = connection.getresponse()
            size = len(answer.read())
            assert 200 == answer.status
            done.append((time.perf_counter() - began, size))
        connection.close()
        return done

    processor, began = _processor(server), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        done = list(chain.from_iterable(clients.map(client, range(CLIENTS))))
    load.seconds.append(time.perf_counter() - began)
    load.processor.append(_processor(server) - processor)
    load.latencies += [each for each, _ in done]
    load.sizes |= {size for _, size in done}


def _processor(server: Server) -> float:
    """Return the processor seconds that a server's process has taken."""
    *_, fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("is_new", [False, True], ids=["asked before", "new"])
@pytest.mark.parametrize(("name", "records"), [("person", 5), ("bundle", 5), ("bundle", 100)])
def test_load_beside_a_bare_route(name: str, records: int, is_new: bool, row: Row, tmp_path: Path) -> None:
    """Thousands of requests of several clients all succeed, within a budget over a bare Flask route."""
    path, body = f"/generate/{name}", b'{"records": %d, "seed": %d}'
    seeds = count(10**9) if is_new else None
    bare_server = Path(__file__).with_name("bare_server.py")

    def next_body() -> bytes:
        return body % (records, 10**9 if seeds is None else next(seeds))

    with serving(command=ESDH) as server:
        connection = http.client.HTTPConnection(server.host, server.port)
        connection.request("POST", path, next_body(), JSON)
        (tmp_path / "body").write_bytes(connection.getresponse().read())
        connection.close()
        ours, bare = Load(), Load()
        with serving(command=[sys.executable, str(bare_server), str(tmp_path / "body")]) as other:
            for _ in range(ROUNDS):
                add_round(bare, other, "/", next_body)
                add_round(ours, server, path, next_body)
        assert 0 == server.stop()
    if not is_new:
        assert {(tmp_path / "body").stat().st_size} == ours.sizes == bare.sizes
    rounds = ratios(ours.seconds, bare.seconds)
    row(
        f"load-{name}-{records}{'-new' if is_new else ''}",
        statistics.median(rounds),
        rounds=rounds,
        ours=ours.text(),
        theirs=bare.text(),
        how=f"median of the ratios of {ROUNDS} rounds in turn, {CLIENTS} clients, {len(ours.latencies):,} requests each",
    )
