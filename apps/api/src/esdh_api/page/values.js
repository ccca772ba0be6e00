// What the API's JSON holds, digit for digit, and how people read it.

import { element, plural } from "./elements.js";

/**
 * Return the value of a JSON text with each number as it is written there, a `JSON.rawJSON`: a number of
 * JavaScript would make 419.3 of 419.30, and round what has more than fifteen digits.
 */
export function exactly(text) {
  return JSON.parse(text, (_, value, { source }) =>
    typeof value === "number" ? JSON.rawJSON(source) : value,
  );
}

/** Whether the browser can read and write numbers as they are written. */
export const canBeExact = "rawJSON" in JSON;

/** Return a value as text. A timestamp's T, which stands between date and time, becomes a space. */
export function textOf(value, type) {
  if (value === null) return "null";
  const text = JSON.isRawJSON(value) ? value.rawJSON : String(value);
  return type === "timestamp" ? text.replace("T", " ") : text;
}

/** Return a number that is small enough for JavaScript's own, such as a count. */
export const numberOf = (value) => Number(textOf(value));

/** Return a table's value for the document: an id as a link to its record, null and an empty text as such. */
export function valueNode(table, name, value) {
  const type = table.types[name];
  const text = textOf(value, type);
  if (value === null) return element("span", { class: "null" }, text);
  if (text === "") return element("span", { class: "null" }, "empty");
  if (table.ids.includes(name)) return element("a", { href: `#lookup/${text}` }, text);
  if (type === "timestamp") return element("time", { datetime: value }, text);
  return document.createTextNode(text);
}

/** Return the attributes of a cell that holds a field's values. */
export function cellKind(table, name) {
  if (["integer", "decimal"].includes(table.types[name])) return { class: "number" };
  return table.ids.includes(name) ? { class: "id" } : {};
}

// ----------------------------------------------------------------------------------------- what is wrong on purpose

/** Return a text as a sentence names it. */
const named = (text) => (text === null ? "no value (null)" : text === "" ? "the empty text" : `“${text}”`);

/** Return why a cell or a row is wrong: of a cell what would be right, of a row what the kind does. */
function reasonOf({ kind, field, clean }, rowKinds) {
  return field === null ? `${kind}: ${rowKinds[kind] ?? "a wrong row"}` : `${kind}: ${named(clean)} is right`;
}

/**
 * Mark what an element holds as wrong: with a sign whose name is the reason, which is shown beside it when the pointer is
 * over the element or the sign has the focus. Returns the element.
 */
export function markWrong(node, labels, rowKinds) {
  const reason = labels.map((label) => reasonOf(label, rowKinds)).join("; ");
  const sign = element("button", { type: "button", class: "mark", "aria-label": `Wrong, ${reason}` }, "!");
  const value = element("span", {}, ...node.childNodes);
  node.classList.add("wrong");
  node.replaceChildren(value, sign);
  const show = () => showTip(sign, reason);
  sign.addEventListener("focus", show);
  sign.addEventListener("blur", hideTip);
  sign.addEventListener("click", show); // a touch may not give the focus
  node.addEventListener("pointerenter", ({ pointerType }) => pointerType === "touch" || show());
  node.addEventListener("pointerleave", ({ pointerType, relatedTarget }) => {
    if (pointerType !== "touch" && relatedTarget !== tip?.node) hideTip();
  });
  return node;
}

let tip = null; // what is shown, and the sign that it stands beside

/** Show a reason beside a sign. It is the sign's own name, so a screen reader needs it no second time. */
function showTip(sign, reason) {
  hideTip();
  tip = { sign, node: element("div", { class: "tip", "aria-hidden": "true" }, reason) };
  tip.node.addEventListener("pointerleave", hideTip); // until then it may be read with the pointer over it
  document.body.append(tip.node);
  placeTip();
}

function placeTip() {
  if (!tip) return;
  const place = tip.sign.getBoundingClientRect();
  const { width, height } = tip.node.getBoundingClientRect();
  const isBelow = place.bottom + height < innerHeight;
  tip.node.style.left = `${Math.max(4, Math.min(place.left, innerWidth - width - 4))}px`;
  tip.node.style.top = `${isBelow ? place.bottom : place.top - height}px`;
}

function hideTip() {
  tip?.node.remove();
  tip = null;
}

document.addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
document.addEventListener("scroll", placeTip, true);

/** Return labels in a sentence: how many cells and rows are wrong, and of which kinds. */
export function wrongInWords(labels) {
  if (!labels.length) return "No cell is wrong here: the defects strike none of these rows.";
  const rowOf = ({ table, slot }) => `${table}#${textOf(slot)}`;
  const rows = labels.filter(({ field }) => field === null);
  const absent = new Set(rows.filter(({ kind }) => kind === "missing_row").map(rowOf));
  const ofCells = labels.filter((label) => label.field !== null && !absent.has(rowOf(label)));
  const cells = new Set(ofCells.map((label) => `${rowOf(label)}.${label.field}`)).size;
  const kinds = new Map();
  // The cells of a near duplicate are counted with its row.
  for (const { kind } of [...rows, ...ofCells.filter((label) => label.kind !== "near_duplicate")]) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const parts = [
    ...(cells || !rows.length ? [plural(cells, "wrong cell")] : []),
    ...(rows.length ? [plural(rows.length, "wrong row")] : []),
  ];
  return `${parts.join(" and ")}: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(", ")}.`;
}
