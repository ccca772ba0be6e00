"""The flow log is whole JSON lines, whoever writes and whatever happens to a writer."""

import json
import subprocess
import sys
from pathlib import Path

from esdh_demo.event_log import EventLog, read_events

WRITER = """
import sys
from pathlib import Path
from esdh_demo.event_log import EventLog
log = EventLog(Path(sys.argv[1]), sys.argv[2])
for number in range(100):
    log.write("info", "step.finished", counts={"number": number}, found="x" * 200)
"""


def lines(path: Path) -> list[dict[str, object]]:
    """Return the lines; every one of them must be JSON."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_a_line_has(tmp_path: Path) -> None:
    """A line begins with time, level, event and run, and has the fields that were given."""
    EventLog(tmp_path / "log", "r").write("warning", "run.swept", status="cleaned", name="Zoë")
    [line] = lines(tmp_path / "log")
    assert ["timestamp", "level", "event", "run_id", "status", "name"] == list(line)
    assert ("warning", "run.swept", "r", "Zoë") == (
        line["level"],
        line["event"],
        line["run_id"],
        line["name"],
    )


def test_writers_at_once(tmp_path: Path) -> None:
    """Lines of several writers at once are all there, whole, each writer's in order."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "log")]
    writers = [subprocess.Popen([*command, f"run-{number}"]) for number in range(3)]
    assert [0, 0, 0] == [writer.wait(60) for writer in writers]
    written = lines(tmp_path / "log")
    for number in range(3):
        own = [line["counts"] for line in written if line["run_id"] == f"run-{number}"]
        assert [{"number": each} for each in range(100)] == own


def test_line_that_a_killed_writer_left(tmp_path: Path) -> None:
    """An unfinished line is cut off by the next writer, which says how much it was."""
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "one"}\n{"event": "tw')
    assert ["one"] == [entry["event"] for entry in read_events(path)]
    EventLog(path, "r").write("info", "three")
    written = lines(path)
    assert ["one", "log.repaired", "three"] == [line["event"] for line in written]
    assert len(b'{"event": "tw') == written[1]["bytes_lost"]


def test_line_without_its_end(tmp_path: Path) -> None:
    """A whole line that lacks its line end is kept."""
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "one"}')
    EventLog(path, "r").write("info", "two")
    assert ["one", "two"] == [line["event"] for line in lines(path)]


FULL = """
import resource, sys
from pathlib import Path
from esdh_demo.event_log import EventLog
log = EventLog(Path(sys.argv[1]), "r")
log.write("info", "one")
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1]).stat().st_size + 10, most))
try:
    log.write("info", "two")
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
log.write("info", "three")
"""


def test_write_that_fails(tmp_path: Path) -> None:
    """A line of which a full disk takes a part leaves nothing of itself."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large\n" == done.stdout
    assert ["one", "three"] == [line["event"] for line in lines(tmp_path / "log")]


def test_log_that_is_not_there(tmp_path: Path) -> None:
    """Before the first run there are no events."""
    assert [] == list(read_events(tmp_path / "log"))
