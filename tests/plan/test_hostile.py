"""Plans from a stranger who means harm: each is refused within bounds, and nothing of it is run.

A child process loads them, which may take little memory, and counts the calls that Python makes for each, so that no
clock is asked. An audit hook notes what a plan must never do: run a program, reach the network, write a file, or
read one outside its folder.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAD = "esdh: plan/1\nname: shop\nversion: 1\nreference_date: 2026-01-01\n"
ROOT = f"{HEAD}tables:\n  buyers:\n    fields:\n      buyer_id: {{id: true}}\n      age: {{integer: {{from: 18, to: 90}}}}\n"
MOST_CALLS = 15_000_000
MEMORY = 1 << 29


def field(text: str) -> str:
    """Return a plan with a field, in line 10."""
    return f"{ROOT}      it: {text}\n"


def fields(count: int, line: str) -> str:
    """Return a plan with many fields, from line 10 on."""
    return ROOT + "".join(
        f"      f{n}: {line.format(n=n, last=n - 1, next=(n + 1) % count)}\n" for n in range(count)
    )


def goods(rows: str) -> str:
    """Return a plan with a fixed table, whose rows stand in line 11."""
    return f"{ROOT}  goods:\n    rows: {rows}\n    fields:\n      sku: row.sku\n"


def below(levels: int) -> str:
    """Return a plan with tables one below the other."""
    above = ["buyers", *(f"t{n}" for n in range(levels))]
    return ROOT + "".join(f"  t{n}: {{per: {above[n]}, fields: {{x: k}}}}\n" for n in range(levels))


IT = "line 10, tables.buyers.fields.it"
YAML: dict[str, tuple[str | bytes, str]] = {
    "a bomb of aliases": (
        f"{ROOT}      a: {{choice: &a [x, y]}}\n"
        + "".join(f"      {b}: {{choice: &{b} [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        "line 10, tables.buyers.fields.a.choice: `&a` is an anchor, which isn't taken; take it out\n",
    ),
    "a list that holds itself": (field("{choice: &a [x, *a]}"), f"{IT}.choice: `&a` is an anchor, which isn't taken; take it out\n"),
    "merges of merges": (
        ROOT + "      it: {<<: &a {<<: &b {<<: {value: x}}}}\n",
        f"{IT}: `<<` merges mappings, which isn't taken; write the keys out\n",
    ),
    "a tag that runs a program": (
        field("!!python/object/apply:os.system [touch ran]"),
        f"{IT}: `!!python/object/apply:os.system` is a tag, which isn't taken; take it out\n",
    ),
    "a tag that makes an object": (
        field("!!python/object/new:subprocess.Popen {args: [touch, ran]}"),
        f"{IT}: `!!python/object/new:subprocess.Popen` is a tag, which isn't taken; take it out\n",
    ),
    "brackets in brackets": (field("[" * 5_000), "line 10: lists and mappings are nested more than 32 deep, which is the most\n"),
    "mappings in mappings": (
        HEAD + "".join(f"{' ' * n}a:\n" for n in range(900)),
        "line 37: lists and mappings are nested more than 32 deep, which is the most\n",
    ),
    "choices in choices": (
        field("{choice: " + "{by: age, of: {1: " * 40 + "[x]" + "}}" * 40 + "}"),
        "line 10: lists and mappings are nested more than 32 deep, which is the most\n",
    ),
    "a large file": (ROOT + "# x\n" * 200_000, "it is larger than 524,288 bytes, which is the most\n"),
    "a long line": (field("x" * 20_000), "line 10: the line has 20,010 characters; 10,000 are the most\n"),
    "many nodes": (ROOT + "      it: {choice: [1" + ",\n 1" * 60_000 + "]}\n", "line 49979: there are more than 50,000 keys and values, which is the most\n"),
    "many documents": (ROOT + "---\n" * 100_000, "line 10: a second document begins here; a file has one\n"),
    "a NUL": (field("a\0b"), "line 10: the character U+0000 can't stand in a file; in \"double quotes\" it is written as an escape\n"),
    "an escape for a terminal": (
        field('{value: "\\e[2J"}'),
        f"{IT}.value: the escape stands for U+001B, a control character; take it out\n",
    ),
    "text that runs from right to left": (
        field("{value: x, \u202eevil: 1}"),
        f"{IT}.\\u202eevil: unknown key '\\u202eevil'\n",
    ),
    "half of a surrogate": (ROOT.encode() + b"      it: {value: \xed\xa0\x80}\n", "line 10: it isn't UTF-8: the byte 0xed is no character; save the file as UTF-8\n"),
    "a number of 9,000 digits": (
        field("{integer: {from: 0, to: " + "9" * 9_000 + "}}"),
        f"{IT}.integer.to: a number has at most 64 characters; this one has 9000\n",
    ),
    "a power of ten": (
        field("{decimal: {from: 0, to: 1e999999999, scale: 2}}"),
        f"{IT}.decimal.to: the power of ten in 1e999999999 is past 64, which is the most\n",
    ),
}  # fmt: skip
SIZES: dict[str, tuple[str, str]] = {
    "a class of all characters": (
        field('{pattern: "[\\u0020-\\U0010ffff]{9}"}'),
        f"{IT}.pattern: the class [ -\\U0010ffff] has more than 1,000 characters\n",
    ),
    "a pattern of many texts": (
        field("{pattern: '[0-9]{200}'}"),
        f"{IT}.pattern: the pattern has more than 10^30 texts; 2^62 are the most\n",
    ),
    "a pattern of many repeats": (field("{pattern: 'a{9999}'}"), f"{IT}.pattern: a text of a pattern has 1 to 200 characters\n"),
    "repeats of repeats": (field("{pattern: '((a{99}){99}){99}'}"), f"{IT}.pattern: the pattern can't be read from '((a{{99}}){{99}}){{99}}' on; "),
    "a pool of a billion": (
        field("{faker: {provider: company, pool: 1000000000}}"),
        f"{IT}.faker.pool: expected a whole number from 1 to 100,000; found 1000000000\n",
    ),
    "a provider that is none": (field("{faker: {provider: __class__, pool: 3}}"), f"{IT}.faker.provider: expected a name of a-z"),
    "a provider that takes arguments": (field("{faker: {provider: binary, pool: 3}}"), f"{IT}.faker.provider: 'binary' is none of our providers; "),
    "a trillion rows": (goods("1000000000000"), "line 11, tables.goods.rows: expected a number of rows from 1 to 1,048,576, or {file, types}; found 1000000000000\n"),
    "a billion children": (
        ROOT + "  orders: {per: buyers, count: 1000000000, fields: {n: k}}\n",
        "line 10, tables.orders.count: expected a number from 0 to 16,777,216, a share, ",
    ),
    "children of children": (
        ROOT + "  b: {per: buyers, count: 9999, fields: {n: k}}\n  c: {per: b, count: 9999, fields: {n: k}}\n",
        "line 11, tables.c: the largest record can have 99,990,001 rows; 16,777,216 are the most, so lower the counts\n",
    ),
    "tables below tables": (below(900), "line 5, tables: tables "),
    "weights without a common denominator": (
        field("\n        choice:\n" + "".join(f"          l{n}: 1/{99999999999999999999 - 2 * n}\n" for n in range(2_000))),
        "line 11, tables.buyers.fields.it.choice: the weights have no common denominator of up to 300 digits; write them as decimals or as whole numbers\n",
    ),
    "a poisson without end": (
        field("{integer: {poisson: {mean: 1e60}, from: 0, to: 9}}"),
        f"{IT}.integer.poisson: the mean of poisson is ",
    ),
    "texts that double": (
        ROOT + "      f0: \"'0123456789'\"\n" + "".join(f"      f{n}: f{n - 1} + f{n - 1}\n" for n in range(1, 60)),
        "line 20, tables.buyers.fields.f10: 'f9 + f9' can have 10240 characters; a text that is put together has at most 10000\n",
    ),
    "names that are nobody's": (fields(4_000, "nobody{n}"), "line 10, tables.buyers.fields.f0: 'buyers' has no field 'nobody0'"),
    "a cycle of thousands": (
        fields(3_000, "f{next}"),
        "line 10, tables.buyers.fields.f0: the field depends on itself: buyers.f0 needs buyers.f1 needs buyers.f2 needs buyers.f3 needs buyers.f4 needs ... needs buyers.f2996 needs buyers.f2997 needs buyers.f2998 needs buyers.f2999 needs buyers.f0\n",
    ),
    "branches that are none": (
        ROOT + "      a:\n        choice:\n" + "".join(f"          - l{n}\n" for n in range(6_000))
        + "      b:\n        choice:\n          by: a\n          of:\n" + "".join(f"            m{n}: [x]\n" for n in range(6_000)),
        "line 6016, tables.buyers.fields.b.choice.of.m0: 'a' is never 'm0'",
    ),
}  # fmt: skip
EXPRESSIONS: dict[str, str] = {
    "().__class__.__mro__[1].__subclasses__()": "'().__class__.__mro__[1].__subclasses__' is no function of the language",
    "buyer_id.__class__": "'buyer_id' is no pick of 'buyers' and no table above it",
    "__import__('os').system('touch ran')": "\"__import__('os').system\" is no function of the language",
    "__import__('os')": "'__import__' is no function of the language",
    "open('/etc/passwd')": "'open' is no function of the language",
    "eval('1')": "'eval' is no function of the language",
    "10**10**10": "'10**10**10': ** is no part of the language; write x * x",
    "1 << 10000000000": "'1 << 10000000000': << is no part of the language",
    "'a' * 10000000000": "'a' is a string and 10000000000 is an integer; * takes two numbers",
    "9999999999999999999 * 9999999999999999999": "9999999999999999999 is too large; an integer lies between -9223372036854775808 and 9223372036854775807",
    "(lambda: 1)()": "'lambda: 1' is no function of the language",
    "[x for x in (1, 2)]": "'[x for x in (1, 2)]' is a comprehension, which is no part of the language",
    "(x := 1)": "'x := 1' is an assignment, which is no part of the language; make it a field of its own",
    "f'{age}'": "\"f'{age}'\" is an f-string, which is no part of the language; join strings with +",
    "pad(age, 1000000000)": "1000000000 is no number of characters for pad; it takes one from 0 to 1000",
    "round(age, 1000000000)": "1000000000 is no number of digits; round takes an integer from 0 to 18 as s",
    "date(1000000000, 1, 1)": "'date(1000000000, 1, 1)' isn't a date; a year lies between 1 and 9999",
    "today + years(1000000000)": "'today + years(1000000000)' can leave the years 1 to 9999",
    "left('abc', 99999999999999999999)": "'99999999999999999999' has 20 digits; at most 19 are possible",
    "(" * 900 + "1" + ")" * 900: "'(((((((((((((((((((((((((((((((((((((...' can't be read from '(((((((((((((((((((((((((((((((((((((...' on",
    "-" * 900 + "1": "the expression has 901 parts; at most 200 are possible, so spread it over several fields",
    " + ".join(["1"] * 400): "the expression has 799 parts; at most 200 are possible, so spread it over several fields",
    "yield": "'yield' can't be read from 'yield' on",
    "print(age)": "'print' is no function of the language; did you mean 'right'?",
}  # fmt: skip


def in_folder(folder: Path) -> dict[str, tuple[str, str]]:
    """Lay out files that a plan must not follow or read whole; return the plans that name them."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "goods.csv").write_text("sku\nA1\n", encoding="utf-8")
    (outside / "pools.json").write_text('{"esdh": "lock/1", "faker": "1", "pools": {}}', encoding="utf-8")
    (folder / "link.csv").symlink_to(outside / "goods.csv")
    (folder / "linked").symlink_to(outside)
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    with (folder / "large.csv").open("wb") as large:
        large.truncate((1 << 27) + 1)  # of nothing, which takes no room on a disk
    (folder / "quotes.csv").write_text('sku\n"A1\n', encoding="utf-8")
    (folder / "breaks.csv").write_text('sku\n"A\n1"\n', encoding="utf-8")
    (folder / "escapes.csv").write_text("sku\n\x1b[2J\n", encoding="utf-8")
    pool = "{faker: {provider: company, pool: 3}}"
    (folder / "a_lock_that_is_a_link.lock.json").symlink_to(outside / "pools.json")
    (folder / "a_lock_that_is_a_folder.lock.json").mkdir()
    (folder / "a_lock_that_is_nested.lock.json").write_text("[" * 100_000, encoding="utf-8")
    (folder / "a_lock_with_an_escape.lock.json").write_text(
        '{"esdh": "lock/1", "faker": "1", "pools": {"company/en_US/3": ["a", "b", "\\u001b[2J"]}}',
        encoding="utf-8",
    )
    rows = "line 11, tables.goods.rows.file"
    beside = "give a file below the plan's folder\n"
    lock = f"{IT}.faker: a_lock_that_is_"
    return {
        "a link": (goods("{file: link.csv}"), f"{rows}: link.csv is a link; {beside}"),
        "a folder that is a link": (goods("{file: linked/goods.csv}"), f"{rows}: linked/goods.csv is a link; {beside}"),
        "a link to itself": (goods("{file: loop.csv}"), f"{rows}: loop.csv is a link; {beside}"),
        "a folder above": (
            goods("{file: ../outside/goods.csv}"),
            f"{rows}: the file is below the plan's folder, such as `data/x.csv`; found '../outside/goods.csv'\n",
        ),
        "a folder above, hidden": (
            goods("{file: data/../../outside/goods.csv}"),
            f"{rows}: the file is below the plan's folder, such as `data/x.csv`; found 'data/../../outside/goods.csv'\n",
        ),
        "an absolute path": (
            goods("{file: /etc/passwd}"),
            f"{rows}: the file is below the plan's folder, such as `data/x.csv`; found '/etc/passwd'\n",
        ),
        "a path of Windows": (
            goods("{file: 'C:\\x.csv'}"),
            f"{rows}: the file is below the plan's folder, such as `data/x.csv`; found 'C:\\\\x.csv'\n",
        ),
        "a folder as a file": (goods("{file: folder.csv}"), f"{rows}: folder.csv is no file\n"),
        "a pipe": (goods("{file: pipe.csv}"), f"{rows}: pipe.csv is no file\n"),
        "a large CSV file": (goods("{file: large.csv}"), f"{rows}: large.csv has more than 134,217,728 bytes\n"),
        "a quote without end": (goods("{file: quotes.csv}"), f"{rows}: quotes.csv is no CSV file: unexpected end of data\n"),
        "a line break in a cell": (goods("{file: breaks.csv}"), f"{rows}: line 2 of breaks.csv has a line break in a cell"),
        "an escape in a cell": (goods("{file: escapes.csv}"), f"{rows}: escapes.csv has a control character"),
        "a lock that is a link": (field(pool), f"{lock}a_link.lock.json: it is no lock (a_lock_that_is_a_link.lock.json is a link; "),
        "a lock that is a folder": (field(pool), f"{lock}a_folder.lock.json: it is no lock (a_lock_that_is_a_folder.lock.json is no file); "),
        "a lock that is nested": (field(pool), f"{lock}nested.lock.json: it is no lock ("),
        "a lock with an escape": (
            field(pool),
            f"{IT}.faker: the value '\\x1b[2J' of the pool company/en_US/3 has a control character; take it out of ",
        ),
        "a package that is none of ours": (
            f"{HEAD}uses: [pip, os]\ntables: {{a: {{fields: {{i: {{id: true}}}}}}}}\n",
            "line 5, uses[0]: no installed package 'pip' offers rules; install it\n",
        ),
    }  # fmt: skip


CHILD = """
import json, os, resource, sys
from click.testing import CliRunner
from esdh_cli.main import main

folder, plans, more = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
os.chdir(folder)
CliRunner().invoke(main, ["check-plan", "good.yaml"], catch_exceptions=False)  # all that is imported is
with open("/proc/self/statm") as sizes:
    most = int(sizes.read().split()[0]) * resource.getpagesize() + more
resource.setrlimit(resource.RLIMIT_AS, (most, most))
resource.setrlimit(resource.RLIMIT_CPU, (900, 900))  # what hangs ends here, long after all that is asked for
calls, done, watched = 0, [], False

def count(frame, event, arg):
    global calls
    calls += event == "call"

def watch(event, args):
    if not watched:
        return
    writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)
    outside = event == "open" and str(args[0]).startswith(("/etc/", os.path.dirname(folder) + "/outside"))
    if writes or outside or event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"):
        done.append([event, str(args[0])[:200]])

sys.addaudithook(watch)
told = {}
for name in plans:
    calls, done[:], watched = 0, [], True
    sys.setprofile(count)
    result = CliRunner().invoke(main, ["check-plan", name])
    sys.setprofile(None)
    watched = False
    told[name] = [result.exit_code, result.stdout, result.stderr, calls, list(done), repr(result.exception)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[Any]]]:
    """What each plan is told, with what was to be, the calls that it took, and what it did besides."""
    folder = tmp_path_factory.mktemp("hostile") / "plans"
    folder.mkdir()
    plans: dict[str, tuple[str | bytes, str]] = {**YAML, **SIZES, **in_folder(folder)}
    plans |= {
        f"expression {n}": (field(json.dumps(text)), f"{IT}: {why}\n")
        for n, (text, why) in enumerate(EXPRESSIONS.items())
    }
    names = {name: f"{name.replace(' ', '_').replace(',', '')}.yaml" for name in plans}
    for name, (text, _) in plans.items():
        (folder / names[name]).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "good.yaml").write_text(ROOT, encoding="utf-8")
    before = sorted(folder.rglob("*"))
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), json.dumps(list(names.values())), str(MEMORY)],
        capture_output=True, text=True, check=False, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert 0 == child.returncode, child.stderr[-2_000:]
    assert before == sorted(folder.rglob("*"))
    found = json.loads(child.stdout)
    return {name: (why, [names[name], *found[names[name]]]) for name, (_, why) in plans.items()}


NAMES = [*YAML, *SIZES, *(f"expression {n}" for n in range(len(EXPRESSIONS)))]
IN_FOLDER = [
    *("a link", "a folder that is a link", "a link to itself", "a folder above", "a folder above, hidden"),
    *("an absolute path", "a path of Windows", "a folder as a file", "a pipe", "a large CSV file", "a quote without end"),
    *("a line break in a cell", "an escape in a cell", "a lock that is a link", "a lock that is a folder"),
    *("a lock that is nested", "a lock with an escape", "a package that is none of ours"),
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux for the size of a process")
@pytest.mark.parametrize("name", [*NAMES, *IN_FOLDER])
def test_refused_within_bounds(told: dict[str, tuple[str, list[Any]]], name: str) -> None:
    """A hostile plan is told what is wrong, with exit status 2, in little memory, and does nothing."""
    why, (file, status, out, err, calls, done, exception) = told[name]
    assert (2, "") == (status, out), exception
    first = err.removeprefix(f"{file}, ").removeprefix(f"{file}: ")
    assert first.startswith(why), err[:1_000]
    assert len(err.splitlines()) <= 51
    assert max(map(len, err.splitlines())) < 1_000
    assert [] == done
    assert calls < MOST_CALLS
