// The demo page: asks the preview API, and shows rows, records, pictures and the plan. No library, no build.

import { button, byId, capitalized, element, fact, grouped, plural, say, titled } from "./elements.js";
import { pictureOf, titleOf } from "./pictures.js";
import { branch, brief, treeList } from "./tree.js";
import {
  canBeExact,
  cellKind,
  exactly,
  markWrong,
  numberOf,
  textOf,
  valueNode,
  wrongInWords,
} from "./values.js";

// ------------------------------------------------------------------------------------------------ the API

/** What went wrong, in words, with the answer's status (0: there was no answer). */
class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// In memory only: never stored, never in a URL or a command, gone with the page.
let apiKey = "";

/** The address of a call. Relative to the page, so that a proxy may serve it below another path. */
const addressOf = (path) => new URL(path, document.baseURI).href;

/** Return the API's good answer. Throws Problem for any other, and AbortError for one nobody waits for. */
async function ask(path, { body, accept = "application/json", signal, guarded = false } = {}) {
  const headers = new Headers({ Accept: accept });
  if (body !== undefined) headers.set("Content-Type", "application/json");
  if (guarded && apiKey) {
    // A header carries bytes: the key's UTF-8, one character a byte, since `fetch` refuses wider ones.
    headers.set("X-API-Key", String.fromCharCode(...new TextEncoder().encode(apiKey)));
  }
  const answer = await fetch(addressOf(path), {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body && JSON.stringify(body),
    cache: "no-cache",
    signal,
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server can't be reached. Check that it is running, then try again.");
  });
  if (answer.ok) {
    if (guarded && apiKey) showKeyState("The server accepted the key.");
    return answer;
  }
  const envelope = await answer.json().catch(() => null); // null: not the API's, but a proxy's
  const reason =
    envelope?.error?.message ?? `the server answered ${answer.status} ${answer.statusText}`.trimEnd();
  throw new Problem(sentence(reason), answer.status);
}

/** Return the body of an answer. Throws Problem where the connection breaks in the middle of it. */
async function bytesOf(answer) {
  return answer.arrayBuffer().catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem("The answer broke off. Check that the server is running, then try again.");
  });
}

/** Return an answer's bytes as text and as the JSON they are; a proxy in between may send something else. */
function parsed(bytes, parse = JSON.parse) {
  const text = new TextDecoder().decode(bytes);
  try {
    return { text, json: parse(text) };
  } catch {
    throw new Problem("The answer is not the API's JSON. Is something between this page and the server?");
  }
}

function sentence(text) {
  const capital = /^[a-z]+[ ,]/.test(text) ? capitalized(text) : text;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/**
 * Return a function that runs one task at a time: a newer one aborts the one before it, whose answer is
 * then never shown. The button is busy meanwhile, and a Problem goes to `report`.
 */
function latest(report) {
  let running = null;
  return async (trigger, task) => {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    trigger?.setAttribute("aria-busy", "true");
    try {
      const show = await task(mine.signal);
      if (running === mine) show();
    } catch (error) {
      if (running !== mine || error.name === "AbortError") return;
      if (error instanceof Problem) report(error);
      else {
        report(new Problem(`This page failed: ${sentence(error.message)}`));
        throw error; // for the console
      }
    } finally {
      if (running === mine) trigger?.removeAttribute("aria-busy");
    }
  };
}

// ------------------------------------------------------------------------------------------ errors, by place

/** Show an error beside its field, or take it away (no message), and tell which field it is about. */
function showError(place, message = "", input = null) {
  byId(place).textContent = message;
  if (!input) return;
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

// ---------------------------------------------------------------------------------------------- the key

// What the server refused for want of a key, to be asked again with one.
let refused = null;

function showKeyState(text) {
  byId("key-state").textContent = text;
  showError("key-error", "", byId("key"));
}

/** Ask for the key, and remember what to do once it is there. */
function demandKey(again) {
  refused = again;
  byId("key-form").hidden = false;
  byId("key-state").textContent = "";
  const message = apiKey
    ? "The server refused this key. Check it and press Use key."
    : "The server asks for a key. Enter it here and press Use key.";
  showError("key-error", message, byId("key"));
  byId("key").focus();
}

byId("key").addEventListener("input", () => {
  apiKey = byId("key").value;
  showKeyState("");
});

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!apiKey) {
    showError("key-error", "Enter the key first.", byId("key"));
    return;
  }
  const again = refused;
  refused = null;
  if (again) again();
  else if (opens()) generate();
  else showKeyState("The key goes with every call from now on.");
});

// A page that the browser keeps for its Back button must not keep the key.
window.addEventListener("pagehide", () => {
  apiKey = "";
  byId("key").value = "";
  showKeyState("");
});

// ------------------------------------------------------------------------------------ what the server says

let health = null;
let planRequest = null;

/** Return the plan's fields, asked for once; a failure is forgotten, so that the next call asks again. */
async function thePlan() {
  if (DATASET.plan) return DATASET.plan; // where the API's plan is a recipe
  planRequest ??= ask("plan")
    .then(async (answer) => parsed(await bytesOf(answer)).json)
    .catch((error) => {
      planRequest = null;
      throw error;
    });
  return planRequest;
}

const limitHint = () => (health ? `1 to ${grouped(health.max_records)}` : "1 or more");

async function begin() {
  try {
    if (!canBeExact) {
      throw new Problem(
        "This page needs a browser that reads numbers digit for digit: one of 2025 or later.",
      );
    }
    health = parsed(await bytesOf(await ask("healthz"))).json;
  } catch (problem) {
    byId("start-notice").hidden = false;
    byId("start-error").textContent = problem.message;
    return;
  }
  byId("start-notice").hidden = true;
  byId("start-error").textContent = "";
  byId("key-form").hidden = !health.api_key_required;
  byId("records-hint").textContent = limitHint();
  byId("versions").textContent = `Version ${health.version}, dataset version ${health.dataset_version}.`;
  const records = byId("records");
  if (records.value === records.defaultValue && Number(records.value) > health.max_records) {
    records.value = health.max_records;
  }
  if (!byId("seed").value) byId("seed").value = health.default_seed;
  open();
}

/** Whether the view for rows is shown and has none yet. */
const opens = () => !shown && !byId("view-generate").hidden;

/** Show the first rows without being asked, unless there is a key to be asked for. */
function open() {
  if (!health || !opens()) return;
  if (health.api_key_required && !apiKey) showNothing("This server asks for a key before it gives rows.");
  else generate({ asked: false });
}

function showNothing(why) {
  byId("empty-state").textContent = why;
}

byId("start-again").addEventListener("click", begin);

// --------------------------------------------------------------------------------------------- copying

/** Put a text on the clipboard, also where the page is not served over HTTPS or from this machine. */
async function copy(text, trigger) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { class: "offscreen", readonly: "" });
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    trigger.focus();
  }
  trigger.dataset.label ??= trigger.textContent;
  trigger.textContent = done ? "Copied" : "Select it and copy";
  say(done ? "Copied" : "Copying is blocked here: select the text and copy it");
  clearTimeout(trigger.timer);
  trigger.timer = setTimeout(() => {
    trigger.textContent = trigger.dataset.label;
  }, 2000);
}

function copyButton(what, text) {
  return button("Copy", (event) => copy(text(), event.currentTarget), {
    class: "small",
    "aria-label": `Copy ${what}`,
  });
}

for (const trigger of document.querySelectorAll("[data-copy]")) {
  trigger.addEventListener("click", () => copy(byId(trigger.dataset.copy).textContent, trigger));
}

/** Return a dataset version as file names have it. */
const slug = (version) => version.replaceAll(/[. ]/g, "_");

/** Save bytes under a name. */
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// -------------------------------------------------------------------------------------------- commands

/** Quote for a POSIX shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(path, body) {
  return [
    `curl -sS ${quoted(addressOf(path))}`,
    body && `-H 'Content-Type: application/json'`,
    // The shell's variable, never the key itself; in double quotes, where it is expanded.
    health?.api_key_required || apiKey ? `-H "X-API-Key: $ESDH_API_KEY"` : null,
    body && `-d ${quoted(JSON.stringify(body))}`,
  ]
    .filter(Boolean)
    .join(" \\\n  ");
}

function commandBlock(title, text) {
  const shown = element("pre", { tabindex: "0", "aria-label": title }, text);
  return element(
    "div",
    { class: "command" },
    element(
      "div",
      { class: "card-head" },
      element("span", {}, title),
      copyButton(`the command: ${title}`, () => text),
    ),
    shown,
  );
}

// --------------------------------------------------------------------------------------------- tables

const MOST_ROWS = 1000; // more would make the document slow; the files hold them all

/** Return the labels of each row of a table by its place among them, as `labels` of an answer say it. */
function labelsByRow(table, labels) {
  const byRow = new Map();
  for (const label of labels) {
    if (label.table !== table.name) continue;
    for (const place of label.rows.map(numberOf)) byRow.set(place, [...(byRow.get(place) ?? []), label]);
  }
  return byRow;
}

function rowsTable(table, title, rows, start, labels = []) {
  const wrong = labelsByRow(table, labels);
  const rowCell = (offset) => {
    const cell = element("th", { scope: "row" }, String(start + offset));
    const own = wrong.get(offset)?.filter(({ field }) => field === null) ?? [];
    return own.length ? markWrong(cell, own, DATASET.rowKinds) : cell;
  };
  const valueCell = (row, offset, name, kind) => {
    const cell = element("td", kind, valueNode(table, name, row[name]));
    const own = wrong.get(offset)?.filter(({ field }) => field === name) ?? [];
    return own.length ? markWrong(cell, own, DATASET.rowKinds) : cell;
  };
  const names = Object.keys(table.types);
  const kinds = names.map((name) => cellKind(table, name));
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "#"),
    names.map((name, place) => element("th", { scope: "col", ...kinds[place] }, name)),
  );
  const body = rows.slice(0, MOST_ROWS).map((row, offset) =>
    element(
      "tr",
      {},
      rowCell(offset),
      names.map((name, place) => valueCell(row, offset, name, kinds[place])),
    ),
  );
  const shownTable = element(
    "table",
    { class: "rows" },
    element("caption", { class: "offscreen" }, title),
    element("thead", {}, head),
    element("tbody", {}, body),
  );
  const note =
    rows.length > MOST_ROWS
      ? `The first ${grouped(MOST_ROWS)} rows; the files hold all.`
      : rows.length
        ? ""
        : "These records have no rows here.";
  return [
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, shownTable),
    element("p", { class: "hint" }, note),
  ];
}

// ----------------------------------------------------------------------------------------------- tabs

/** Show tabs as the WAI-ARIA practices have them: arrows move and select, Tab goes on to the panel. */
function showTabs(list, panels, tabs, wanted) {
  const nodes = tabs.map(({ name, fill }, place) => {
    const panel = element("div", {
      class: "panel",
      role: "tabpanel",
      id: `panel-${place}`,
      "aria-labelledby": `tab-${place}`,
    });
    const tab = element(
      "button",
      { type: "button", role: "tab", id: `tab-${place}`, "aria-controls": panel.id },
      name,
    );
    return { name, tab, panel, fill };
  });
  const select = (chosen) => {
    for (const node of nodes) {
      node.tab.setAttribute("aria-selected", String(node === chosen));
      node.tab.tabIndex = node === chosen ? 0 : -1;
      node.panel.hidden = node !== chosen;
    }
    if (!chosen.panel.hasChildNodes()) chosen.panel.append(...chosen.fill()); // made when first looked at
  };
  for (const [place, node] of nodes.entries()) {
    node.tab.addEventListener("click", () => select(node));
    node.tab.addEventListener("keydown", (event) => {
      const last = nodes.length - 1;
      const to = {
        ArrowRight: place === last ? 0 : place + 1,
        ArrowLeft: place === 0 ? last : place - 1,
        Home: 0,
        End: last,
      };
      if (!(event.key in to)) return;
      event.preventDefault();
      select(nodes[to[event.key]]);
      nodes[to[event.key]].tab.focus();
    });
  }
  list.replaceChildren(...nodes.map((node) => node.tab));
  panels.replaceChildren(...nodes.map((node) => node.panel));
  select(nodes.find((node) => node.name === wanted) ?? nodes[0]);
}

// ------------------------------------------------------------------------------------------- generating

// Of the dataset, as the server says it: its `version`, its `tables` with what their fields hold, the `pictures` to draw, the
// `option` by which `esdh` makes it (null where it can't), whether the API gives it as `trees`, the `plans` that are
// served with their pages, and the `plan`, unless the API's is to be asked for. A table that has no one row a record
// is `counted`: "whole", or the rows of the "window".
const DATASET = JSON.parse(byId("main").dataset.dataset);

/** Return a table by its name or what its rows are called. */
const tableOf = (name) => DATASET.tables.find((table) => name === table.name || name === table.entity);

/** Return what is known of a table of another dataset. */
const strangeTable = (name) => ({ name, entity: name, types: {}, ids: [], brief: [], counted: "whole" });

const LARGEST_SEED = BigInt(Number.MAX_SAFE_INTEGER); // 2^53 - 1, the contract's largest as well

let shown = null; // what is on the page: the request, its answer as bytes, text and JSON, and names for it

/** Return the form as a request's body, or null after telling what is wrong, beside the field. */
function readForm() {
  const digits = (id) => byId(id).value.trim();
  const problems = {
    records: "",
    start: "",
    seed: "",
  };
  const records = digits("records");
  const most = health?.max_records ?? Number.MAX_SAFE_INTEGER;
  if (!/^[0-9]+$/.test(records) || Number(records) < 1 || Number(records) > most) {
    problems.records = health
      ? `Records: enter a whole number from 1 to ${grouped(most)}, digits only.`
      : "Records: enter a whole number from 1, digits only.";
  }
  const start = digits("start");
  if (!/^[0-9]+$/.test(start) || !Number.isSafeInteger(Number(start))) {
    problems.start = "First record: enter a whole number from 0, digits only.";
  }
  const random = byId("randomize").checked;
  const seed = digits("seed");
  if (!random && seed && (!/^[0-9]+$/.test(seed) || BigInt(seed) > LARGEST_SEED)) {
    problems.seed = `Enter a whole number from 0 to ${LARGEST_SEED}, digits only.`;
  }
  let first = null;
  for (const [id, message] of Object.entries(problems)) {
    showError(FIELD_ERRORS[id], message, byId(id));
    if (message) first ??= byId(id);
  }
  first?.focus();
  if (first) return null;
  const body = { records: Number(records), start: Number(start) };
  if (random) body.randomize = true;
  else if (seed) body.seed = Number(seed);
  if (chosenDefects()) body.defects = chosenDefects();
  return body;
}

/** Return the name of the list of defects that is chosen, nothing for none. */
const chosenDefects = () => byId("defects")?.value ?? "";

// The choice is one for rows and for records.
for (const [id, other] of [
  ["defects", "record-defects"],
  ["record-defects", "defects"],
]) {
  byId(id)?.addEventListener("change", () => {
    byId(other).value = byId(id).value;
    if (id === "record-defects" && byId("record-id").value) lookUp();
  });
}

/** Say how much is wrong in what is shown, where defects were asked for. */
function showWrong(place, labels) {
  if (!byId(place)) return "";
  byId(place).hidden = !labels;
  byId(place).textContent = labels ? wrongInWords(labels) : "";
  return labels ? `, ${byId(place).textContent}` : "";
}

const FIELD_ERRORS = { records: "records-error", start: "start-field-error", seed: "seed-error" };

/** Show why a request failed, beside the field that the server's sentence names first. */
function reportGenerate(problem) {
  showNothing("There are no rows to show.");
  if (problem.status === 401) {
    showError("generate-error", "Not generated: the server asks for a key.");
    demandKey(generate);
    return;
  }
  const field = problem.status === 400 && /^'(records|start|seed)'/.exec(problem.message)?.[1];
  if (field) {
    showError(FIELD_ERRORS[field], problem.message, byId(field));
    byId(field).focus();
  } else showError("generate-error", problem.message);
}

const generating = latest(reportGenerate);

function generate({ asked = true } = {}) {
  showError("generate-error");
  const entity = byId("generate-form").elements.entity.value;
  generating(byId("generate"), async (signal) => {
    const body = readForm();
    if (!body) return () => showNothing("There are no rows to show."); // told beside the fields
    const answer = await ask(`generate/${entity}`, { body, signal, guarded: true });
    const bytes = await bytesOf(answer);
    const { text, json } = parsed(bytes, exactly);
    const requestId = answer.headers.get("X-Request-ID") ?? "none";
    return () => {
      showResult({ entity, body, bytes, text, answer: json, requestId });
      // On a narrow screen the rows stand below the form.
      if (asked && matchMedia("(max-width: 62rem)").matches) byId("result").scrollIntoView();
    };
  });
}

byId("generate-form").addEventListener("submit", (event) => {
  event.preventDefault();
  generate();
});

byId("randomize").addEventListener("change", () => {
  byId("seed").disabled = byId("randomize").checked;
  showError("seed-error", "", byId("seed"));
});

for (const [id, place] of Object.entries(FIELD_ERRORS)) {
  byId(id).addEventListener("input", () => showError(place, "", byId(id)));
}

/** The request that gives the shown rows again: with the effective seed, whatever was asked for. */
const sameRequest = ({ body, answer }) => ({
  records: body.records,
  start: body.start,
  seed: answer.seed,
  ...(body.defects ? { defects: body.defects } : {}),
});

function showResult(result) {
  const { entity, body, answer } = result;
  const tables = DATASET.tables.filter((table) => [table.entity, "bundle"].includes(entity));
  const [first] = tables;
  const version = answer.metadata.dataset_version;
  const last = body.start + body.records - 1;
  const name = entity === "bundle" ? entity : first.name;
  const seed = textOf(answer.seed);
  const span = `${slug(version)}_seed${seed}_${body.start}-${last}${body.defects ? `_${body.defects}` : ""}`;
  const stem = `${name}_${span}`;
  shown = { ...result, tables, stem, span };

  byId("empty").hidden = true;
  byId("result").hidden = false;
  const what =
    entity === "bundle"
      ? `${plural(body.records, "record")} of ${DATASET.names}`
      : plural(numberOf(answer.record_count), ...first.units);
  const which =
    last > body.start
      ? `records ${grouped(body.start)} to ${grouped(last)}`
      : `record ${grouped(body.start)}`;
  const part = entity !== "bundle" && first.counted === "whole" ? "the whole table" : which;
  byId("summary").textContent = `${what}, ${part}`;
  say(`${what}, ${part}, seed ${seed}${showWrong("wrong-line", answer.defects)}`);
  // Where rows are there twice or missing, they are numbered as they stand here.
  const isMoved = answer.defects?.some(({ field }) => field === null);
  byId("effective-seed").textContent = seed;
  byId("keep-seed").hidden = !body.randomize;
  byId("result-version").textContent = version;
  byId("request-id").textContent = result.requestId;
  showDownloads();
  const selected = byId("tabs").querySelector("[aria-selected=true]")?.textContent;
  showTabs(
    byId("tabs"),
    byId("panels"),
    [
      ...tables.map((table) => ({
        name: titled(table.name),
        fill: () =>
          rowsTable(
            table,
            `${table.name}, ${table.counted === "whole" ? "the whole table" : which}`,
            answer[table.name],
            table.counted || isMoved ? 0 : body.start,
            answer.defects,
          ),
      })),
      ...(tables.every((table) => table.counted === "whole") ? [] : [{ name: "Tree", fill: treePanel }]),
      { name: "JSON", fill: jsonPanel },
    ],
    selected,
  );
  showCommands();
  showPictures();
}

function jsonPanel() {
  const { text, answer } = shown;
  return [
    element(
      "div",
      { class: "card-head" },
      element("p", { class: "hint" }, "Indented for reading; Copy and the file have the answer as it came."),
      copyButton("the JSON", () => text),
    ),
    element(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "JSON" },
      element("pre", { id: "json" }, JSON.stringify(answer, null, 2)),
    ),
  ];
}

byId("keep-seed").addEventListener("click", () => {
  byId("seed").value = textOf(shown.answer.seed);
  byId("seed").disabled = false;
  byId("randomize").checked = false;
  byId("seed").focus();
  say("The form has this seed now");
});

// ------------------------------------------------------------------------------------------- downloads

const FORMS = {
  CSV: ["text/csv", "csv"],
  NDJSON: ["application/x-ndjson", "ndjson"],
  JSON: ["application/json", "json"],
};

function showDownloads() {
  showError("download-error");
  const forms = shown.entity === "bundle" ? ["JSON"] : Object.keys(FORMS);
  byId("downloads").replaceChildren(
    element("span", { class: "label", "aria-hidden": "true" }, "Download"),
    ...forms.map((form) => {
      const downloading = latest((problem) =>
        showError("download-error", `Not downloaded. ${problem.message}`),
      );
      return button(form, (event) => download(form, event.currentTarget, downloading));
    }),
    ...(shown.body.defects ? [labelsButton()] : []),
  );
}

/** Return the button that saves the labels of all rows of the window. */
function labelsButton() {
  const downloading = latest((problem) => showError("download-error", `Not downloaded. ${problem.message}`));
  const saveLabels = (trigger) => {
    showError("download-error");
    const { span } = shown;
    const body = sameRequest(shown);
    downloading(trigger, async (signal) => {
      try {
        const answer = await ask("generate/defects", { body, accept: "text/csv", signal, guarded: true });
        const content = await bytesOf(answer);
        return () => save(new Blob([content], { type: "text/csv" }), `defects_${span}.csv`);
      } catch (problem) {
        if (problem.status === 401) demandKey(() => saveLabels(trigger));
        throw problem;
      }
    });
  };
  return button("Labels", (event) => saveLabels(event.currentTarget), { "aria-label": "Labels of what is wrong, as CSV" });
}

/** Save the rows: the JSON as it came, another form as the API gives it for the same request. */
function download(form, trigger, downloading) {
  showError("download-error");
  const [type, ending] = FORMS[form];
  const { entity, stem, bytes } = shown;
  const body = sameRequest(shown);
  downloading(trigger, async (signal) => {
    try {
      const content =
        form === "JSON"
          ? bytes
          : await bytesOf(await ask(`generate/${entity}`, { body, accept: type, signal, guarded: true }));
      return () => save(new Blob([content], { type }), `${stem}.${ending}`);
    } catch (problem) {
      if (problem.status === 401) demandKey(() => download(form, trigger, downloading));
      throw problem;
    }
  });
}

// ------------------------------------------------------------------------------- the commands of a result

const MOST_IDS = 10; // more is a long command; a row's own id leads to its record

/** Return a command line of `esdh` on this dataset, a part a line. */
const esdh = (command, ...parts) =>
  [`esdh ${command}`, DATASET.option, ...parts].filter(Boolean).join(" \\\n  ");

/** Return the option of `esdh` for a list of defects; for none the one that leaves out what a plan lists itself. */
function defectsOption(name, without = "") {
  if (name) return DATASET.lists[name].option;
  return DATASET.lists && "plan" in DATASET.lists ? without : "";
}

function showCommands() {
  const { entity, tables, answer, stem } = shown;
  const { records, start, seed } = sameRequest(shown);
  byId("commands").replaceChildren(commandBlock("This call", curl(`generate/${entity}`, sameRequest(shown))));
  if (DATASET.option === null) return;
  const first =
    entity === "bundle" ? DATASET.tables.find((table) => !table.parent && !table.counted) : tables[0];
  // An id in a wrong row may be of no row.
  const ids = first.id && !answer.defects ? answer[first.name].slice(0, MOST_IDS).map((row) => row[first.id]) : [];
  const whole = tables.every((table) => table.counted === "whole");
  // A snapshot starts at record 0: a later window is made again from its ids, where it has some.
  const snapshot = (title, upTo) =>
    commandBlock(
      title,
      esdh(
        "generate-snapshot",
        `--records ${upTo} --seed ${textOf(seed)}`,
        entity === "bundle" ? null : `--entity-filter ${first.name}`,
        "--output-format csv json ndjson",
        defectsOption(shown.body.defects, "--no-defects"),
        `--output-dir ${stem}`,
      ),
    );
  const rows = entity === "bundle" || !first.counted ? "records" : "rows";
  if (start === 0 || whole)
    byId("commands").append(snapshot(`A snapshot of these ${rows}, as files`, records));
  else if (!ids.length)
    byId("commands").append(snapshot(`A snapshot that ends with these ${rows}`, start + records));
  else {
    const all = ids.length === answer[first.name].length;
    const title = all ? `These ${rows}, by id` : `The first ${ids.length} of these ${rows}, by id`;
    byId("commands").append(commandBlock(title, esdh("reproduce", ...ids)));
  }
}

// -------------------------------------------------------------------------------------------- pictures

const MOST_PICTURES = 12; // at first

function showPictures() {
  const { tables, answer } = shown;
  const names = new Set();
  const charts = DATASET.pictures.flatMap((picture) => {
    const table = tables.find(({ name }) => name === picture.table);
    const again = names.has(picture.title);
    // A count that several tables share is drawn of the first of them.
    if (!table || (again && picture.shared)) return [];
    names.add(picture.title);
    const chart = pictureOf(picture, answer[table.name], answer.metadata, {
      id: `picture-${again ? `${table.name}-` : ""}${picture.title.replaceAll(" ", "-")}`,
      title: titleOf(picture, tables.length > 1),
      unit: table.counted ? "row" : "record",
    });
    return chart ? [chart] : [];
  });
  byId("pictures").replaceChildren(...charts.slice(0, MOST_PICTURES));
  byId("pictures").closest("section").hidden = !charts.length;
  const more = byId("more-pictures");
  more.hidden = charts.length <= MOST_PICTURES;
  more.textContent = `Show all ${charts.length} pictures`;
  more.onclick = () => {
    byId("pictures").replaceChildren(...charts);
    more.hidden = true;
    charts[MOST_PICTURES].tabIndex = -1;
    charts[MOST_PICTURES].focus(); // where the reading goes on
  };
}

// --------------------------------------------------------------------------------------------- records as trees

const MOST_TREES = 25;

/** Return a record as the row of its root with those below it, from a row of each table and the labels of what is wrong. */
function nested(rowOf, labels = []) {
  const node = (table) => ({
    table: table.name,
    row: rowOf(table),
    // Of a row that is there twice, or has a second one, the first is shown.
    labels: labels.filter((label) => label.table === table.name && (label.field === null || !isOfSecond(label, labels))),
    below: Object.fromEntries(
      DATASET.tables
        .filter(({ parent }) => parent === table.name)
        .map((child) => [child.name, [node(child)]]),
    ),
  });
  return node(DATASET.tables.find(({ parent }) => parent === null));
}

/** Whether a label is of a cell of a second row. */
const isOfSecond = ({ table, slot }, labels) =>
  labels.some((each) => each.kind === "near_duplicate" && each.table === table && textOf(each.slot) === textOf(slot));

/** Give the rows of trees the labels of what is wrong with them. */
function labelTrees(rows, labels) {
  const bySlot = new Map();
  for (const label of labels) {
    const key = `${label.table} ${textOf(label.slot)}`;
    bySlot.set(key, [...(bySlot.get(key) ?? []), label]);
  }
  const walk = (node) => {
    node.labels = bySlot.get(`${node.table} ${textOf(node.slot)}`);
    Object.values(node.below).flat().forEach(walk);
  };
  rows.forEach(walk);
  return rows;
}

/** Return one record as trees: one, but where its root is missing, there twice or has a second row. */
async function treesOf(start, seed, defects, signal) {
  const body = { records: 1, start, seed, ...(defects ? { defects } : {}) };
  const path = DATASET.trees ? "generate/record-trees" : "generate/bundle";
  const { json } = parsed(await bytesOf(await ask(path, { body, signal, guarded: true })), exactly);
  if (DATASET.trees) return labelTrees(json.records, json.defects ?? []);
  return [nested((table) => json[table.name][0] ?? null, json.defects)];
}

function treePanel() {
  const { answer, body, tables } = shown;
  const root = DATASET.tables.find((table) => table.parent === null && table.counted !== "whole");
  const listed = Math.min(body.records, MOST_TREES);
  const roots = tables.includes(root) && !answer.defects?.some(({ field }) => field === null) ? answer[root.name] : [];
  const records = Array.from({ length: listed }, (_, offset) => {
    const number = body.start + offset;
    const row = roots[offset];
    const fill = async (place) => {
      const wait = element("p", { class: "hint" }, "The record is on its way.");
      place.append(wait);
      try {
        const rows = await treesOf(number, answer.seed, body.defects);
        place.append(treeList(rows, tableOf, () => false, DATASET.rowKinds));
        wait.remove();
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        wait.replaceWith(element("p", { class: "error" }, problem.message));
      }
    };
    const summary = [element("span", { class: "table-name" }, `Record ${grouped(number)}`), " "];
    return element(
      "li",
      {},
      branch([...summary, ...(row ? [brief(root, row)] : [])], fill, { open: !offset }),
    );
  });
  return [
    element("ul", { class: "tree" }, records),
    element("p", { class: "hint" }, listed < body.records ? `The first ${listed} of these records.` : ""),
  ];
}

// --------------------------------------------------------------------------------------------- looking up

function reportLookup(problem) {
  byId("record").hidden = true;
  if (problem.status === 401) {
    showError("lookup-error", "Not looked up: the server asks for a key.");
    demandKey(lookUp);
  } else {
    const about = problem.status === 404 ? byId("record-id") : null;
    showError("lookup-error", problem.message, about);
  }
}

const lookingUp = latest(reportLookup);

const LIKE_AN_ID = /^(urn:uuid:)?\{?[0-9a-f-]{1,60}\}?$/i;

function lookUp() {
  const input = byId("record-id");
  const id = input.value.trim();
  showError("lookup-error", "", input);
  lookingUp(byId("lookup"), async (signal) => {
    if (!LIKE_AN_ID.test(id)) {
      input.focus();
      throw new Problem("An id has 36 characters: hexadecimal digits and four dashes.", 404);
    }
    const defects = chosenDefects();
    const answer = await ask(recordPath(id, defects), { signal, guarded: true });
    const { text, json } = parsed(await bytesOf(answer), exactly);
    const record = readRecord(json);
    let problem = "";
    if (record.number !== null && DATASET.trees) {
      // The answer has the rows above, and the record has those below as well.
      record.rows = await treesOf(Number(record.number), json.seed, defects, signal)
        .catch((error) => {
          if (!(error instanceof Problem) || error.status !== 400) throw error;
          problem = `Shown are the row and those above it. ${error.message}`;
          return record.rows;
        });
    }
    return () => showRecord(json, record, text, problem, defects);
  });
}

const recordPath = (id, defects) => `records/${id}${defects ? `?defects=${encodeURIComponent(defects)}` : ""}`;

byId("lookup-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("record-id").value.trim();
  const address = `#lookup/${id}`;
  // An id goes into the address, so that Back returns and it can be passed on. Another text doesn't: it
  // might be a key that was pasted into the wrong field.
  if (LIKE_AN_ID.test(id) && location.hash !== address) location.hash = address;
  else lookUp();
});

byId("record-id").addEventListener("input", () => showError("lookup-error", "", byId("record-id")));

/**
 * Return an id's answer in one form: a plan's has a row and those above it, another a row of every table. `rows` are
 * the record as far as the answer has it, `number` is its own, null for a row of a fixed table or of another dataset.
 */
function readRecord(record) {
  // The id may be of another dataset that is served beside this one.
  const own = record.dataset_version === DATASET.version;
  const tableIn = own ? tableOf : strangeTable;
  const common = { own, tableIn };
  if (!("row" in record)) {
    const parts = Object.entries(record).filter(
      ([name, value]) => value?.constructor === Object && name !== "clean",
    );
    const flat = parts.map(([table, row]) => ({ table, row, below: {} }));
    const table = tableIn(record.entity);
    return {
      ...common,
      table,
      place: ["Record", textOf(record.index)],
      number: own ? textOf(record.index) : null,
      rows: own ? [nested((each) => record[each.entity], record.defects)] : flat,
      isAsked: (node) => node.table === table.name,
    };
  }
  const table = tableIn(record.table);
  const labelsOf = (name) => record.defects?.filter((label) => label.table === name);
  let rows = [
    { table: record.table, row: record.row, below: {}, slot: record.slot, labels: labelsOf(record.table) },
  ];
  for (const [name, row] of Object.entries(record.parents)) {
    rows = [{ table: name, row, below: { [rows[0].table]: rows }, labels: labelsOf(name) }];
  }
  const slot = textOf(record.slot);
  // A near duplicate stands in the record of the row that it is a second one of, whose slot its cluster names.
  const first = record.defects?.find(
    (label) => label.kind === "near_duplicate" && label.table === record.table && textOf(label.slot) === slot,
  );
  const ownSlot = first ? first.cluster.split("#").at(-1) : slot;
  return {
    ...common,
    table,
    place: ["Slot", slot],
    number: own && table.counted !== "whole" ? String(BigInt(ownSlot) / BigInt(table.span)) : null,
    rows,
    isAsked: (node) => node.table === record.table && node.slot !== undefined && textOf(node.slot) === slot,
  };
}

function showRecord(answer, record, text, problem, defects) {
  byId("record").hidden = false;
  const { table, place, number, rows, tableIn, isAsked, own } = record;
  const seed = textOf(answer.seed);
  const summary = `${titled(table.entity)} ${grouped(BigInt(place[1]))} of seed ${seed}`;
  byId("record-summary").textContent = summary;
  say(summary);
  byId("record-facts").replaceChildren(
    fact(
      "Id",
      element("code", {}, answer.id),
      copyButton("the id", () => answer.id),
    ),
    fact(DATASET.trees ? "Table" : "Entity", table.entity),
    fact(place[0], grouped(BigInt(place[1]))),
    ...(number === null || place[0] === "Record" ? [] : [fact("Record", grouped(BigInt(number)))]),
    fact(
      "Seed",
      element("code", {}, seed),
      copyButton("the seed", () => seed),
    ),
    fact("Dataset", answer.dataset_version),
  );
  const page = DATASET.plans.find(({ version }) => version === answer.dataset_version)?.page;
  byId("record-note").replaceChildren(
    ...(own || !page
      ? []
      : [
          "This page shows another dataset. ",
          element("a", { href: `${page}#lookup/${answer.id}` }, `Open it in ${answer.dataset_version}'s own`),
        ]),
  );
  showError("tree-error", problem);
  showWrong("record-wrong-line", answer.defects);
  byId("record-parts").replaceChildren(treeList(rows, tableIn, isAsked, DATASET.rowKinds));
  // The row itself may stand deep in the record, below all fields of the rows above it.
  const marked = byId("record-parts").querySelector("[aria-current]");
  if (marked?.closest("ul").closest("details")) marked.scrollIntoView({ block: "center" });
  byId("record-copy").onclick = (event) => copy(text, event.currentTarget);
  byId("record-window").hidden = number === null;
  byId("record-window").onclick = () => {
    byId("start").value = number;
    byId("seed").value = seed;
    byId("seed").disabled = false;
    byId("randomize").checked = false;
    byId("generate-form").elements.entity.value = table.entity;
    location.hash = "#generate";
  };
  byId("record-commands").replaceChildren(
    commandBlock("This call", curl(recordPath(answer.id, defects))),
    ...(own && DATASET.option !== null
      ? [
          commandBlock(
            "On the command line",
            ["esdh reproduce", answer.id, DATASET.option, defectsOption(defects), DATASET.trees ? "--tree" : ""]
              .filter(Boolean)
              .join(" "),
          ),
        ]
      : []),
  );
}

// --------------------------------------------------------------------------------------------- the plan

/** Return a field's schema in words: its values, bounds or form. */
function constraintText({ enum: values, minimum, maximum, pattern }) {
  if (values) return values.join(", ");
  if (minimum !== undefined) return `${minimum} to ${maximum}`;
  return pattern ?? "";
}

function planCell(label, text, ...notes) {
  const known = text || notes.some(Boolean);
  return element(
    "td",
    { role: "cell", "data-label": label, ...(known ? {} : { class: "is-none" }) },
    text || (known ? "" : element("span", { class: "none" }, "–")),
    notes.filter(Boolean).map((note) => element("span", { class: "sub" }, note)),
  );
}

function planRow(entity, field) {
  const values = constraintText(field.constraints);
  return element(
    "tr",
    { role: "row" },
    element(
      "th",
      { scope: "row", role: "rowheader" },
      element("code", {}, `${entity.name}.${field.name}`),
      element("span", { class: "sub" }, field.description),
    ),
    planCell("Type", field.nullable ? `${field.type} or null` : field.type, values),
    planCell("Rule", field.rule, field.given.length ? `Depends on ${field.given.join(", ")}` : ""),
    planCell(
      "Distribution",
      field.distribution,
      field.permutation ? "Unique: a keyed permutation of the index" : "",
    ),
    planCell(
      "Source",
      field.source,
      field.tables.length
        ? `Tables: ${field.tables.map(({ name, rows }) => `${name} (${plural(rows, "row")})`).join(", ")}`
        : "",
    ),
  );
}

function filterPlan(plan) {
  const chosen = byId("plan-filters").elements["plan-entity"].value;
  const wanted = byId("plan-text").value.trim().toLowerCase();
  const rows = plan.entities
    .filter((entity) => chosen === "all" || entity.name === chosen)
    .flatMap((entity) => entity.fields.map((field) => planRow(entity, field)))
    .filter((row) => row.textContent.toLowerCase().includes(wanted));
  const total = plan.entities.reduce((sum, entity) => sum + entity.fields.length, 0);
  byId("plan-count").textContent = `${rows.length} of ${plural(total, "field")}`;
  const heads = [
    ["Field", "col-field"],
    ["Type", "col-type"],
    ["Rule", "col-rule"],
    ["Distribution", "col-odds"],
    ["Source", "col-source"],
  ];
  const table = element(
    "table",
    { class: "plan", role: "table", "aria-label": "The plan's fields" },
    element(
      "thead",
      { role: "rowgroup" },
      element(
        "tr",
        { role: "row" },
        heads.map(([name, kind]) => element("th", { scope: "col", role: "columnheader", class: kind }, name)),
      ),
    ),
    element("tbody", { role: "rowgroup" }, rows),
  );
  byId("plan-table").replaceChildren(
    rows.length ? table : element("p", { class: "lead" }, "No field has this text."),
  );
}

async function showPlan() {
  if (byId("plan-table").hasChildNodes()) return;
  showError("plan-error");
  let plan;
  try {
    plan = await thePlan();
  } catch (problem) {
    showError("plan-error", problem.message);
    return;
  }
  const choices = [["all", "All"], ...plan.entities.map(({ name, plural: many }) => [name, titled(many)])];
  byId("plan-entities").replaceChildren(
    ...choices.map(([value, label], place) =>
      element(
        "label",
        {},
        element("input", { type: "radio", name: "plan-entity", value, ...(place ? {} : { checked: "" }) }),
        element("span", {}, label),
      ),
    ),
  );
  byId("plan-file").download = `plan_${slug(plan.dataset_version)}.json`;
  byId("plan-filters").addEventListener("input", () => filterPlan(plan));
  filterPlan(plan);
}

byId("plan-filters").addEventListener("submit", (event) => event.preventDefault());

// --------------------------------------------------------------------------------------------- the views

const VIEWS = { generate: "Generate", lookup: "Look up an id", plan: "Plan" };

/** Show the view that the address names: #generate, #lookup, #lookup/<id> or #plan. */
function route({ focus }) {
  const [, name, rest] = /^#?([a-z]*)(?:\/(.*))?$/.exec(location.hash) ?? [null, "", ""];
  const view = name in VIEWS ? name : "generate";
  for (const each of Object.keys(VIEWS)) byId(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[view]} · Synthetic Data Hub`;
  for (const link of document.querySelectorAll(".datasets a")) link.hash = `#${view}`;
  if (focus) byId(`${view}-heading`).focus();
  if (view === "generate") open();
  if (view === "plan") showPlan();
  if (view === "lookup" && rest !== undefined) {
    byId("record-id").value = decodedText(rest);
    lookUp();
  }
}

function decodedText(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % is for the look-up to refuse
  }
}

window.addEventListener("hashchange", () => route({ focus: true }));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names the view
  byId("main").focus();
});

begin();
route({ focus: false });
