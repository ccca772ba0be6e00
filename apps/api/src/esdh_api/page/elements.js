// Elements and words that every part of the page is made of.
// Data reaches the document as text nodes and attributes only, never as markup.

export const byId = (id) => document.getElementById(id);

/** Return an element with attributes and children; a null child is left out, a string is text. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an element of SVG, as `element` does. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

export function button(label, action, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", action);
  return node;
}

/** Say something to a screen reader that sighted readers see anyway. */
export function say(text) {
  byId("said").textContent = text;
}

export const capitalized = (text) => text[0].toUpperCase() + text.slice(1);
export const titled = (name) => capitalized(name.replaceAll("_", " "));
export const grouped = (number) => number.toLocaleString("en-US");
export const plural = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;

/** Return a pair of a list of facts; a long name may break after each underscore. */
export function fact(name, ...value) {
  const parts = name.split(/(?<=_)/).flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
  return element("div", {}, element("dt", {}, parts), element("dd", {}, ...value));
}
