// The demo page: asks the preview API, and shows rows, records, pictures and the plan. No library, no build.
// Data reaches the document as text nodes and attributes only, never as markup.

// ---------------------------------------------------------------------------------------------- elements

const byId = (id) => document.getElementById(id);

/** Return an element with attributes and children; a null child is left out, a string is text. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

function button(label, action, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", action);
  return node;
}

/** Say something to a screen reader that sighted readers see anyway. */
function say(text) {
  byId("said").textContent = text;
}

const capitalized = (text) => text[0].toUpperCase() + text.slice(1);
const titled = (name) => capitalized(name.replaceAll("_", " "));
const grouped = (number) => number.toLocaleString("en-US");
const plural = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;

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
  const reason = envelope?.error?.message ?? `the server answered ${answer.status} ${answer.statusText}`.trimEnd();
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
function parsed(bytes) {
  const text = new TextDecoder().decode(bytes);
  try {
    return { text, json: JSON.parse(text) };
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

/** Return a value as people read it: an id as a link to its record, null as such. */
function valueNode(table, name, value) {
  if (value === null) return element("span", { class: "null" }, "null");
  const text = String(value);
  return table.ids.includes(name)
    ? element("a", { href: `#lookup/${text}` }, text)
    : document.createTextNode(text);
}

const MOST_ROWS = 1000; // more would make the document slow; the files hold them all

function rowsTable(table, title, rows, start) {
  const names = Object.keys(rows[0] ?? {});
  const kind = (name, value) =>
    typeof value === "number" ? { class: "number" } : table.ids.includes(name) ? { class: "id" } : {};
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "#"),
    names.map((name) => element("th", { scope: "col", ...kind("", rows[0][name]) }, name)),
  );
  const body = rows.slice(0, MOST_ROWS).map((row, offset) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(start + offset)),
      names.map((name) => element("td", kind(name, row[name]), valueNode(table, name, row[name]))),
    ),
  );
  const shownTable = element(
    "table",
    { class: "rows" },
    element("caption", { class: "offscreen" }, title),
    element("thead", {}, head),
    element("tbody", {}, body),
  );
  const cut = rows.length > MOST_ROWS;
  return [
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, shownTable),
    cut ? element("p", { class: "hint" }, `The first ${grouped(MOST_ROWS)} rows; the files hold all.`) : null,
  ].filter(Boolean);
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

// Of the dataset: { names, tables: [{ entity, name, units, id, ids, counted }], pictures, commands, plan }, as the
// server says it. A table that has no one row a record is `counted`: "whole", or the rows of the "window".
const DATASET = JSON.parse(byId("main").dataset.dataset);
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
  return body;
}

const FIELD_ERRORS = { records: "records-error", start: "start-field-error", seed: "seed-error" };

/** Show why a request failed, beside the field that the server's sentence names first. */
function reportGenerate(problem) {
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

function generate() {
  showError("generate-error");
  const entity = byId("generate-form").elements.entity.value;
  generating(byId("generate"), async (signal) => {
    const body = readForm();
    if (!body) return () => {}; // told beside the fields
    const answer = await ask(`generate/${entity}`, { body, signal, guarded: true });
    const bytes = await bytesOf(answer);
    const { text, json } = parsed(bytes);
    const requestId = answer.headers.get("X-Request-ID") ?? "none";
    return () => showResult({ entity, body, bytes, text, answer: json, requestId });
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
const sameRequest = ({ body, answer }) => ({ records: body.records, start: body.start, seed: answer.seed });

function showResult(result) {
  const { entity, body, answer } = result;
  const tables = DATASET.tables.filter((table) => [table.entity, "bundle"].includes(entity));
  const [first] = tables;
  const version = answer.metadata.dataset_version;
  const last = body.start + body.records - 1;
  const name = entity === "bundle" ? entity : first.name;
  const stem = `${name}_${slug(version)}_seed${answer.seed}_${body.start}-${last}`;
  shown = { ...result, tables, stem };

  byId("empty").hidden = true;
  byId("result").hidden = false;
  const what =
    entity === "bundle"
      ? `${plural(body.records, "record")} of ${DATASET.names}`
      : plural(answer.record_count, ...first.units);
  const which =
    last > body.start
      ? `records ${grouped(body.start)} to ${grouped(last)}`
      : `record ${grouped(body.start)}`;
  const part = entity !== "bundle" && first.counted === "whole" ? "the whole table" : which;
  byId("summary").textContent = `${what}, ${part}`;
  say(`${what}, ${part}, seed ${answer.seed}`);
  byId("effective-seed").textContent = answer.seed;
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
            table.counted ? 0 : body.start,
          ),
      })),
      { name: "JSON", fill: jsonPanel },
    ],
    selected,
  );
  showCommands();
  showPictures(shown);
  if (matchMedia("(max-width: 62rem)").matches) byId("result").scrollIntoView();
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
  byId("seed").value = shown.answer.seed;
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
  );
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

function showCommands() {
  const { entity, tables, answer, stem } = shown;
  const { records, start, seed } = sameRequest(shown);
  const [first] = tables;
  const ids = answer[first.name].slice(0, MOST_IDS).map((row) => row[first.id]);
  const snapshot = [
    "esdh generate-snapshot",
    `--records ${records} --seed ${seed}`,
    entity === "bundle" ? null : `--entity-filter ${first.name}`,
    "--output-format csv json ndjson",
    `--output-dir ${stem}`,
  ]
    .filter(Boolean)
    .join(" \\\n  ");
  const reproduce = ["esdh reproduce", ...ids].join(" \\\n  ");
  const call = commandBlock("This call", curl(`generate/${entity}`, sameRequest(shown)));
  byId("commands").replaceChildren(call);
  if (!DATASET.commands) return;
  byId("commands").append(
    // A snapshot starts at record 0: a later window is made again from its ids.
    start === 0
      ? commandBlock("A snapshot of these records, as files", snapshot)
      : commandBlock(
          records > MOST_IDS ? `The first ${MOST_IDS} of these records, by id` : "These records, by id",
          reproduce,
        ),
  );
}

// -------------------------------------------------------------------------------------------- pictures

// A histogram's bins come in order, others by size; more labels than fit are counted by tens.
const MOST_BINS = 20;
const MOST_BARS = 8;

/** Return the whole years from a date to the reference date, both as YYYY-MM-DD. */
function yearsBetween(born, reference) {
  const birthday = reference.slice(5, 10) >= born.slice(5);
  return Number(reference.slice(0, 4)) - Number(born.slice(0, 4)) - (birthday ? 0 : 1);
}

/** Return a function from a number to its ten's label: 16-19, the first that there is, then 20s, 30s. */
function tens(labels) {
  const least = Math.min(...labels);
  return (number) => {
    const ten = Math.floor(number / 10) * 10;
    return ten < least ? `${least}-${ten + 9}` : `${ten}s`;
  };
}

/** Return a statistic's bars: [{ label, count, declared }]; `declared` is the rules' share, null for none. */
function barsOf(picture, statistic, rows, generatedAt) {
  const value = (row) =>
    picture.years ? yearsBetween(row[statistic.field], generatedAt) : row[statistic.field];
  const labels = Object.keys(statistic.shares ?? {});
  const bin = picture.histogram && labels.length > MOST_BINS ? tens(labels.map(Number)) : String;
  const bars = new Map();
  const barFor = (label) => {
    if (!bars.has(label)) bars.set(label, { label, count: 0, declared: statistic.shares ? 0 : null });
    return bars.get(label);
  };
  for (const [label, share] of Object.entries(statistic.shares ?? {})) barFor(bin(label)).declared += share;
  for (const row of rows) if (row[statistic.field] !== null) barFor(bin(value(row))).count += 1;
  const all = [...bars.values()];
  if (picture.histogram) return all;
  all.sort((a, b) => b.count - a.count || b.declared - a.declared);
  if (all.length <= MOST_BARS) return all;
  const rest = all.slice(MOST_BARS - 1);
  const sum = (key) => rest.reduce((total, bar) => total + bar[key], 0);
  return [
    ...all.slice(0, MOST_BARS - 1),
    { label: `${rest.length} others`, count: sum("count"), declared: sum("declared") },
  ];
}

const WIDTH = 320; // of a picture, in its own units; its text is legible from 260 pixels on
const HEIGHT = 188;

const barStep = (bars) => Math.min(28, HEIGHT / bars.length);

function barChart(bars, total) {
  const step = barStep(bars);
  const [left, right] = [92, WIDTH - 38];
  const most = Math.max(...bars.map((bar) => Math.max(bar.count / total, bar.declared ?? 0)));
  const width = (share) => ((right - left) * share) / most;
  return bars.flatMap((bar, place) => {
    const [top, thick] = [place * step + step * 0.16, step * 0.68];
    const middle = place * step + step / 2 + 4;
    const declared = left + width(bar.declared ?? 0);
    return [
      drawn("text", { x: left - 8, y: middle, "text-anchor": "end" }, bar.label),
      drawn("rect", { class: "bar", x: left, y: top, width: width(bar.count / total), height: thick, rx: 2 }),
      bar.declared === null
        ? null
        : drawn("line", { class: "tick", x1: declared, x2: declared, y1: top - 1, y2: top + thick + 1 }),
      drawn("text", { x: WIDTH - 2, y: middle, "text-anchor": "end", class: "faint" }, grouped(bar.count)),
    ];
  });
}

function histogram(bars, total) {
  const margin = 8; // half of a label under the first and the last bar
  const step = (WIDTH - 2 * margin) / bars.length;
  const [top, bottom] = [16, HEIGHT - 18];
  const most = Math.max(...bars.map((bar) => Math.max(bar.count / total, bar.declared ?? 0)));
  const height = (share) => ((bottom - top) * share) / most;
  const every = Math.ceil(bars.length / 9); // room for nine labels
  return [
    drawn("line", { class: "axis", x1: 0, x2: WIDTH, y1: bottom + 0.5, y2: bottom + 0.5 }),
    ...bars.flatMap((bar, place) => {
      const x = margin + place * step;
      const middle = x + step / 2;
      const tall = height(bar.count / total);
      const declared = bottom - height(bar.declared ?? 0);
      return [
        drawn("rect", {
          class: "bar",
          x: x + step * 0.12,
          y: bottom - tall,
          width: step * 0.76,
          height: tall,
          rx: 2,
        }),
        bar.declared === null
          ? null
          : drawn("line", {
              class: "tick",
              x1: x + step * 0.06,
              x2: x + step * 0.94,
              y1: declared,
              y2: declared,
            }),
        bar.count
          ? drawn(
              "text",
              {
                x: middle,
                y: Math.min(bottom - tall, declared) - 4,
                "text-anchor": "middle",
                class: "faint",
              },
              grouped(bar.count),
            )
          : null,
        place % every === 0
          ? drawn("text", { x: middle, y: HEIGHT - 4, "text-anchor": "middle" }, bar.label)
          : null,
      ];
    }),
  ];
}

function chart(picture, bars, total) {
  const id = `picture-${picture.name}`;
  const told = bars
    .filter((bar) => bar.count)
    .map((bar) => `${bar.label}: ${grouped(bar.count)}`)
    .join(", ");
  const marks = picture.histogram ? histogram(bars, total) : barChart(bars, total);
  const height = picture.histogram ? HEIGHT : bars.length * barStep(bars);
  return element(
    "div",
    {},
    element("h4", {}, titled(picture.name)),
    drawn(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-labelledby": `${id}-title ${id}-text`, id },
      drawn("title", { id: `${id}-title` }, `${titled(picture.name)} of ${plural(total, "record")}`),
      drawn("desc", { id: `${id}-text` }, told),
      marks,
    ),
  );
}

async function showPictures({ tables, answer }) {
  showError("pictures-error");
  byId("pictures").closest("section").hidden = !DATASET.pictures.length;
  let plan;
  try {
    plan = await thePlan();
  } catch (problem) {
    byId("pictures").replaceChildren();
    showError("pictures-error", `The pictures need the plan, which did not come. ${problem.message}`);
    return;
  }
  if (shown.answer !== answer) return; // a newer answer draws its own
  const drawnNames = new Set(); // a statistic of several tables is drawn of the first
  const charts = DATASET.pictures.flatMap((picture) => {
    const table = tables.find(({ entity }) => entity === picture.entity);
    if (!table || drawnNames.has(picture.name)) return [];
    drawnNames.add(picture.name);
    const { statistics } = plan.entities.find(({ name }) => name === picture.entity);
    const statistic = statistics.find(({ name }) => name === picture.name);
    const rows = answer[table.name];
    return [chart(picture, barsOf(picture, statistic, rows, answer.metadata.generated_at), rows.length)];
  });
  byId("pictures").replaceChildren(...charts);
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
    const answer = await ask(`records/${id}`, { signal, guarded: true });
    const { text, json } = parsed(await bytesOf(answer));
    return () => showRecord(json, text);
  });
}

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

function fact(name, ...value) {
  const parts = name.split(/(?<=_)/).flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
  return element("div", {}, element("dt", {}, parts), element("dd", {}, ...value));
}

/** Return an id's answer in one form: a plan's has a row and those above it, another a row of every table. */
function readRecord(record) {
  const isPlans = "row" in record;
  const rows = isPlans
    ? [[record.table, record.row], ...Object.entries(record.parents)]
    : Object.entries(record).filter(([, value]) => typeof value === "object");
  // The id may be of another dataset that is served beside this one.
  const known = [record.dataset_version, undefined].includes(health?.dataset_version) ? DATASET.tables : [];
  const tableOf = (entity) => known.find((table) => table.entity === entity) ?? { entity, ids: [], counted: "whole" };
  const own = tableOf(isPlans ? record.table : record.entity);
  return {
    names: isPlans ? ["Table", "Slot"] : ["Entity", "Record"],
    entity: own.entity,
    index: isPlans ? record.slot : record.index,
    rows: rows.map(([entity, row]) => [tableOf(entity), row]),
    counted: Boolean(own.counted),
  };
}

function showRecord(record, text) {
  byId("record").hidden = false;
  const { names, entity, index, rows, counted } = readRecord(record);
  const summary = `${titled(entity)} ${grouped(index)} of seed ${record.seed}`;
  byId("record-summary").textContent = summary;
  say(summary);
  byId("record-facts").replaceChildren(
    fact(
      "Id",
      element("code", {}, record.id),
      copyButton("the id", () => record.id),
    ),
    fact(names[0], entity),
    fact(names[1], grouped(index)),
    fact(
      "Seed",
      element("code", {}, String(record.seed)),
      copyButton("the seed", () => String(record.seed)),
    ),
    fact("Dataset", record.dataset_version),
  );
  byId("record-parts").replaceChildren(
    ...rows.map(([table, row]) =>
      element(
        "section",
        {
          class: table.entity === entity ? "card asked" : "card",
          "aria-labelledby": `part-${table.entity}`,
        },
        element("h3", { id: `part-${table.entity}` }, titled(table.entity)),
        element(
          "dl",
          { class: "fields" },
          Object.entries(row).map(([name, value]) => fact(name, valueNode(table, name, value))),
        ),
      ),
    ),
  );
  byId("record-copy").onclick = (event) => copy(text, event.currentTarget);
  byId("record-window").hidden = counted; // its slot is no record's number
  byId("record-window").onclick = () => {
    byId("start").value = index;
    byId("seed").value = record.seed;
    byId("seed").disabled = false;
    byId("randomize").checked = false;
    byId("generate-form").elements.entity.value = entity;
    location.hash = "#generate";
  };
  byId("record-commands").replaceChildren(
    commandBlock("This call", curl(`records/${record.id}`)),
    ...(DATASET.commands ? [commandBlock("On the command line", `esdh reproduce ${record.id}`)] : []),
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
  const choices = [
    ["all", "All"],
    ...plan.entities.map(({ name, plural: many }) => [name, titled(many)]),
  ];
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
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[view]} · Synthetic Data Hub`;
  if (focus) byId(`${view}-heading`).focus();
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
