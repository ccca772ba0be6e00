// What the API's JSON holds, digit for digit, and how people read it.

import { element } from "./elements.js";

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
