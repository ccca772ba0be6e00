"""docs/API_REFERENCE.md shows what the API answers."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
from esdh_api import Settings, create_app
from flask.testing import FlaskClient

REFERENCE = Path(__file__).parents[2] / "docs" / "API_REFERENCE.md"
DEFECTS = re.search(r"```yaml defects.yaml\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL)
EXAMPLES = re.findall(r"```console\n\$ (curl [^\n]*)\n(.*?)\n```", REFERENCE.read_text("utf-8"), re.DOTALL)

curl = argparse.ArgumentParser()
curl.add_argument("url")
curl.add_argument("-s", "--silent", action="store_true")
curl.add_argument("-i", "--include", action="store_true")
curl.add_argument("-X", "--request")
curl.add_argument("-H", "--header", action="append", default=[])
curl.add_argument("-d", "--data")


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_shows_the_answer(client: FlaskClient, tmp_path: Path, command: str, shown: str) -> None:
    """Each curl example is answered as the document shows it ("..." stands for what is left out)."""
    asked = curl.parse_args(shlex.split(command, comments=True)[1:])
    if "with a key" in command:
        client = create_app(Settings(api_key="secret")).test_client()
    if "with --plan bank" in command:
        client = create_app(Settings(plans=("bank",))).test_client()
    if "with --defects defects.yaml" in command:
        assert DEFECTS is not None
        (tmp_path / "defects.yaml").write_text(DEFECTS[1], encoding="utf-8")
        client = create_app(Settings(defects=(str(tmp_path / "defects.yaml"),))).test_client()
    # curl's own rules: -d makes a POST, of a form unless a header says otherwise.
    headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in asked.header)]
    if asked.data and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    answer = client.open(
        asked.url.removeprefix("http://127.0.0.1:5000"),
        method=asked.request or ("POST" if asked.data else "GET"),
        headers=headers,
        data=asked.data,
    )
    if asked.include:
        status, *lines = shown.splitlines()
        assert f"HTTP/1.1 {answer.status}" == status
        given = {f"{name}: {value}".lower() for name, value in answer.headers}
        left = {line.lower() for line in lines if not line.startswith(("Date:", "Connection:"))}
        assert left <= given
    else:
        assert re.fullmatch(re.escape(shown).replace(r"\.\.\.", ".*"), answer.text.rstrip("\n")), answer.text


def test_every_call_is_shown() -> None:
    """The document names every call and every status of the API."""
    text = REFERENCE.read_text("utf-8")
    app = create_app(Settings())
    paths = [rule.rule for rule in app.url_map.iter_rules()]
    statuses = ("304", "400", "401", "404", "405", "406", "413", "415", "500")
    assert [] == [each for each in (*paths, *statuses) if f"{each}" not in text]
