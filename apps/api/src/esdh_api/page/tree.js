// A record as a tree: lists within lists, each row a native disclosure that opens on its fields and the rows below it.

import { element, fact, grouped, plural } from "./elements.js";
import { markWrong, textOf, valueNode } from "./values.js";

const MOST_SIBLINGS = 1000; // more would make the document slow
const FEW = 5; // siblings that are listed without being asked for
const MOST_IN_BRIEF = 4;

/** Return a disclosure; `fill` is given its body when it is first open. */
export function branch(summary, fill, { open = false, current = false } = {}) {
  const body = element("div", { class: "branch" });
  const head = element("summary", current ? { "aria-current": "true" } : {}, ...summary);
  const node = element("details", open ? { open: "" } : {}, head, body);
  if (open) fill(body);
  else node.addEventListener("toggle", () => fill(body), { once: true });
  return node;
}

/** Return some values of a row by which it is told from its siblings. */
export function brief(table, row) {
  const texts = table.brief
    .filter((name) => row[name] !== null && row[name] !== "")
    .map((name) => textOf(row[name], table.types[name]));
  return element("span", { class: "brief" }, texts.slice(0, MOST_IN_BRIEF).join(" · "));
}

/**
 * Return rows as a list: `{ table, row, below: { table: rows }, labels }`, each with those below it nested. A row that is null is
 * missing, and `labels` say what is wrong with it.
 *
 * `tableOf` tells of a table by its name. The rows down to the one that `isAsked` picks are open, and it is marked.
 */
export function treeList(rows, tableOf, isAsked = () => false, rowKinds = {}) {
  const way = new Set(); // the asked row and those above it
  const leads = (node) => {
    const found = isAsked(node) || Object.values(node.below).flat().some(leads);
    if (found) way.add(node);
    return found;
  };
  rows.forEach(leads);
  const context = { tableOf, isAsked, way, rowKinds };
  return element(
    "ul",
    { class: "tree" },
    rows.map((node) => element("li", {}, rowNode(node, "", context, true))),
  );
}

function rowNode(node, place, context, open = false) {
  const { tableOf, isAsked, way } = context;
  const table = tableOf(node.table);
  const asked = isAsked(node);
  const wrong = node.labels?.length ?? 0;
  return branch(
    [
      element("span", { class: "table-name" }, node.table),
      place ? ` ${place} ` : " ",
      asked ? element("strong", { class: "badge" }, "this id") : null,
      wrong ? element("strong", { class: "badge wrong" }, `${wrong} wrong`) : null,
      node.row ? brief(table, node.row) : element("span", { class: "brief" }, "no row"),
    ].filter(Boolean),
    (body) => body.append(...rowBody(node, context)),
    { open: open || way.has(node), current: asked },
  );
}

/** Return a row's fields, and the lists of the rows below it. */
function rowBody(node, context) {
  const table = context.tableOf(node.table);
  const below = Object.entries(node.below);
  const labels = node.labels ?? [];
  const ofRow = labels.filter(({ field }) => field === null);
  const valueOf = (name, value) => {
    const shown = fact(name, valueNode(table, name, value));
    const own = labels.filter(({ field }) => field === name);
    if (own.length) markWrong(shown.querySelector("dd"), own, context.rowKinds);
    return shown;
  };
  return [
    ofRow.length ? markWrong(element("p", { class: "none" }, "This row"), ofRow, context.rowKinds) : null,
    element(
      "dl",
      { class: "fields" },
      // Every row of a plan has an id, also where no field holds it.
      node.id && !table.id ? fact("its id", element("a", { href: `#lookup/${node.id}` }, node.id)) : null,
      Object.entries(node.row ?? {}).map(([name, value]) => valueOf(name, value)),
    ),
    below.length
      ? element(
          "ul",
          {},
          below.map(([name, rows]) => element("li", {}, siblings(name, rows, context))),
        )
      : null,
  ].filter(Boolean);
}

function siblings(name, rows, context) {
  if (!rows.length) return element("p", { class: "none" }, `No rows of ${name}`);
  if (rows.length === 1) return rowNode(rows[0], "", context, true);
  const asked = Math.max(
    0,
    rows.findIndex((row) => context.way.has(row)),
  );
  const first = Math.floor(asked / MOST_SIBLINGS) * MOST_SIBLINGS;
  const listed = rows.slice(first, first + MOST_SIBLINGS);
  const part =
    listed.length < rows.length
      ? element(
          "p",
          { class: "hint" },
          `Listed are ${grouped(first + 1)} to ${grouped(first + listed.length)} of them.`,
        )
      : null;
  return branch(
    [element("span", { class: "table-name" }, name), ` ${plural(rows.length, "row")}`],
    (body) =>
      body.append(
        ...[part].filter(Boolean),
        element(
          "ul",
          {},
          listed.map((row, place) =>
            element(
              "li",
              {},
              rowNode(row, `${grouped(first + place + 1)} of ${grouped(rows.length)}`, context),
            ),
          ),
        ),
      ),
    { open: rows.length <= FEW || rows.some((row) => context.way.has(row)) },
  );
}
