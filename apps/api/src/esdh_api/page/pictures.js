// Pictures of rows: how often a field has each of its values, beside the shares that the rules declare.
//
// A bar is { label, told, count, declared }: what stands at it, what a screen reader says of it, how many rows
// it has, and the rules' share of them, null for none.

import { capitalized, drawn, element, grouped, plural, titled } from "./elements.js";
import { numberOf, textOf } from "./values.js";

const WIDTH = 320; // of a picture, in its own units; its text is legible from 260 pixels on
const HEIGHT = 188;
const LETTER = 7; // the width of a letter of 12 pixels, in a wide font
const MOST_BINS = 20;
const MOST_BARS = 8;
const MOST_LETTERS = 12; // of a bar's label
const DAY = 86_400_000; // in milliseconds

/**
 * Return the picture of a field in the rows of its table, null where there is nothing to see. `picture` is as the
 * server describes it, `unit` what a row is called and `metadata` the answer's own.
 */
export function pictureOf(picture, rows, metadata, { id, title, unit }) {
  const { field, kind } = picture;
  const present = rows.map((row) => row[field]).filter((value) => value !== null);
  const values = present.filter((value) => isOfType(value, picture.type)); // a defect may have put a text there
  const bars = barsOf(picture, values, rows, metadata);
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  if (!total) return null;
  return element(
    "div",
    { class: "picture" },
    element("h4", {}, title),
    svgOf(bars, total, {
      id,
      title: `${title} of ${plural(total, kind === "counts" ? "row" : unit)}`,
      // What has an order stands in it, side by side; labels stand below one another, the most frequent first.
      upright: picture.ordered || ["numbers", "dates", "counts"].includes(kind),
    }),
    kind === "nulls" ? null : nullsOf(picture, rows.length - present.length, rows.length),
  );
}

function isOfType(value, type) {
  if (["integer", "decimal"].includes(type)) return Number.isFinite(Number(textOf(value) || NaN));
  if (["date", "timestamp"].includes(type)) return !Number.isNaN(Date.parse(value)) && /^\d{4}-/.test(value);
  return true;
}

function nullsOf({ nulls = null }, count, total) {
  if (!count && nulls === null) return null;
  const declared = nulls === null ? "" : `; the rules say ${percent(nulls)}`;
  return element("p", { class: "hint" }, `${grouped(count)} of ${grouped(total)} null${declared}`);
}

const percent = (share) => `${(share * 100).toLocaleString("en-US", { maximumFractionDigits: 1 })} %`;

// ----------------------------------------------------------------------------------------- from rows to bars

/** Return the bars of a picture, of values without the nulls among them. */
export const barsOf = (picture, ...counted) => BARS[picture.kind](picture, ...counted);

const BARS = {
  labels: labelBars,
  numbers: ({ type, unit, shares }, values) =>
    rangeBars(values, numberBins, { type, unit, shares: shares ?? {} }),
  dates: ({ type, shares }, values) =>
    rangeBars(values, dateBins, { type, unit: type === "date" ? 1 : 1 / 86_400, shares: shares ?? {} }),
  counts: countBars,
  nulls: ({ shares }, values, rows) =>
    [
      ["value", values.length],
      ["null", rows.length - values.length],
    ].map(([label, count]) => ({ label, told: label, count, declared: shares?.[label] ?? null })),
};

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

function labelBars({ shares, ordered, years }, values, rows, metadata) {
  const value = (each) => (years ? yearsBetween(each, metadata.generated_at) : textOf(each));
  const labels = Object.keys(shares ?? {});
  const bin = ordered && labels.length > MOST_BINS ? tens(labels.map(Number)) : String;
  const bars = new Map();
  const barFor = (label) => {
    if (!bars.has(label)) {
      const shown = label === "" ? "empty" : label;
      bars.set(label, { label: shown, told: shown, count: 0, declared: shares ? 0 : null });
    }
    return bars.get(label);
  };
  for (const [label, share] of Object.entries(shares ?? {})) barFor(bin(label)).declared += share;
  for (const each of values) barFor(bin(value(each))).count += 1;
  const all = [...bars.values()];
  if (ordered) return all;
  all.sort((a, b) => b.count - a.count || b.declared - a.declared);
  if (all.length <= MOST_BARS) return all;
  const rest = all.slice(MOST_BARS - 1);
  const sum = (key) => rest.reduce((total, bar) => total + bar[key], 0);
  const label = `${rest.length} others`;
  return [
    ...all.slice(0, MOST_BARS - 1),
    { label, told: label, count: sum("count"), declared: shares ? sum("declared") : null },
  ];
}

/** Count the rows of each row above; the field names it, and the answer's metadata says how many there are. */
function countBars({ field, of }, values, rows, metadata) {
  const counts = new Map();
  for (const row of rows) {
    const above = textOf(row[field]);
    counts.set(above, (counts.get(above) ?? 0) + 1);
  }
  const none = numberOf(metadata[`record_count_${of}`]) - counts.size;
  return binned([...Array(Math.max(0, none)).fill(0), ...counts.values()], numberBins, 1);
}

/** Return where a value stands, as a number: of a date and a timestamp in days. Exact enough to be drawn. */
function placeOf(value, type) {
  const text = textOf(value);
  return ["date", "timestamp"].includes(type) ? Date.parse(text) / DAY : Number(text);
}

function rangeBars(values, binsOf, { type, unit, shares }) {
  // A declared range is "first to last", or one value; the values in it are all alike.
  const ranges = Object.entries(shares).map(([label, share]) => {
    const [first, last = first] = label.split(" to ").map((text) => placeOf(text, type));
    return { from: first, to: last + unit, share };
  });
  const places = values.map((value) => placeOf(value, type));
  return binned(places, binsOf, unit, ranges, type);
}

/** Count numbers in bins: [{ from, to, label, told }] in order, of which the outer two take what is beyond them. */
function binned(places, binsOf, unit, ranges = [], type = "integer") {
  if (!places.length) return [];
  const sorted = places.toSorted((a, b) => a - b);
  const bins = binsOf(sorted, unit, type);
  bins[0].from = -Infinity;
  bins.at(-1).to = Infinity;
  const shareOf = ({ from, to }) =>
    ranges.reduce((sum, range) => {
      const common = Math.min(to, range.to) - Math.max(from, range.from);
      return sum + (common > 0 ? (range.share * common) / (range.to - range.from) : 0);
    }, 0);
  const bars = bins.map((bin) => ({ ...bin, count: 0, declared: ranges.length ? shareOf(bin) : null }));
  let at = 0;
  for (const place of sorted) {
    while (place + unit / 2 >= bars[at].to) at += 1; // half a unit inside, where no rounding moves it out
    bars[at].count += 1;
  }
  return bars;
}

const WANTED_BINS = 12;

/** Return the least of 1, 2, 5, 10, 20, 50 ... that is at least so much, and at least one unit. */
function roundStep(least, unit) {
  if (least <= unit) return unit;
  const ten = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * ten).find((step) => step >= least * 0.999999) ?? 10 * ten;
}

function numberBins(sorted, unit) {
  const [low, high] = [sorted[0], sorted.at(-1)];
  // Where a few values lie far out, the outer bins take them, lest all others share one.
  const most = sorted.length - 1;
  const usual = [sorted[Math.floor(most * 0.02)], sorted[Math.ceil(most * 0.98)]];
  const [begin, end] = usual[0] < usual[1] ? usual : [low, high];
  const step = roundStep((end - begin) / (WANTED_BINS - 1), unit);
  const [first, last] = [begin, end].map((place) => Math.floor(place / step + 1e-9));
  return Array.from({ length: last - first + 1 }, (_, offset) => {
    const [from, to] = [(first + offset) * step, (first + offset + 1) * step];
    if (offset && first + offset === last && high >= to) {
      return { from, to, label: `${short(from)}+`, told: `${short(from)} or more` };
    }
    if (!offset && low < from) return { from, to, label: `<${short(to)}`, told: `less than ${short(to)}` };
    const label = short(from);
    return { from, to, label, told: step === unit ? label : `${label} to ${short(to - unit)}` };
  });
}

const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const PLAIN = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 12, useGrouping: false });
const POWER = new Intl.NumberFormat("en-US", { notation: "scientific", maximumSignificantDigits: 2 });

function short(number) {
  const size = Math.abs(number);
  const form = size >= 1e15 || (size > 0 && size < 1e-4) ? POWER : size >= 10_000 ? COMPACT : PLAIN;
  return form.format(number);
}

// Steps in time, each about `days` long: so many hours, days or months.
const STEPS = [
  { days: 1 / 24, label: (iso) => iso.slice(11, 16), timestamp: true },
  { days: 1 / 4, label: (iso) => iso.slice(5, 16).replace("T", " "), timestamp: true },
  { days: 1, label: (iso) => iso.slice(5, 10) },
  { days: 7, label: (iso) => iso.slice(5, 10) },
  ...[1, 3].map((months) => ({ days: months * 30.4, months, label: (iso) => iso.slice(0, 7) })),
  ...[1, 2, 5, 10, 20, 50, 100, 500].map((years) => ({
    days: years * 365.25,
    months: years * 12,
    label: (iso) => (years === 10 ? `${iso.slice(0, 4)}s` : iso.slice(0, 4)),
  })),
];

/** Return the day on which a month begins, counted from the year 0. */
function monthStart(month) {
  const date = new Date(0);
  date.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
  return date.getTime() / DAY;
}

function monthOf(day) {
  const date = new Date(day * DAY);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function dateBins(sorted, unit, type) {
  const [low, high] = [sorted[0], sorted.at(-1)];
  const steps = STEPS.filter((step) => type === "timestamp" || !step.timestamp);
  const step = steps.find(({ days }) => (high - low) / days <= WANTED_BINS) ?? steps.at(-1);
  const { days, months } = step;
  const first = months ? Math.floor(monthOf(low) / months) * months : Math.floor(low / days) * days;
  const edge = (offset) => (months ? monthStart(first + offset * months) : first + offset * days);
  const bins = [];
  for (let offset = 0; edge(offset) <= high; offset += 1) {
    const [from, to] = [edge(offset), edge(offset + 1)];
    const [begins, ends] = [from, to - unit].map((day) => new Date(Math.round(day * DAY)).toISOString());
    const long = type === "timestamp" && days < 1 ? 16 : 10;
    const told = [begins, ends].map((iso) => iso.slice(0, long).replace("T", " ")).join(" to ");
    bins.push({ from, to, label: step.label(begins), told });
  }
  return bins;
}

// --------------------------------------------------------------------------------------- from bars to a drawing

function svgOf(bars, total, { id, title, upright }) {
  const told = bars
    .filter((bar) => bar.count)
    .map((bar) => `${bar.told}: ${grouped(bar.count)}`)
    .join(", ");
  const height = upright ? HEIGHT : bars.length * barStep(bars);
  return drawn(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-labelledby": `${id}-title ${id}-text`, id },
    drawn("title", { id: `${id}-title` }, title),
    drawn("desc", { id: `${id}-text` }, told),
    upright ? histogram(bars, total) : barChart(bars, total),
  );
}

const barStep = (bars) => Math.min(28, HEIGHT / bars.length);
const largest = (bars, total) =>
  Math.max(...bars.map((bar) => Math.max(bar.count / total, bar.declared ?? 0)));
const cut = (text) => (text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text);

function barChart(bars, total) {
  const step = barStep(bars);
  const [left, right] = [92, WIDTH - 38];
  const most = largest(bars, total);
  const width = (share) => ((right - left) * share) / most;
  return bars.flatMap((bar, place) => {
    const [top, thick] = [place * step + step * 0.16, step * 0.68];
    const middle = place * step + step / 2 + 4;
    const declared = left + width(bar.declared ?? 0);
    return [
      drawn("text", { x: left - 8, y: middle, "text-anchor": "end" }, cut(bar.label)),
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
  const step = Math.min(40, (WIDTH - 2 * margin) / bars.length); // a few bars don't fill the width
  const [top, bottom] = [16, HEIGHT - 18];
  const most = largest(bars, total);
  const height = (share) => ((bottom - top) * share) / most;
  let free = 0; // from where on no label stands yet
  return [
    drawn("line", { class: "axis", x1: 0, x2: WIDTH, y1: bottom + 0.5, y2: bottom + 0.5 }),
    ...bars.flatMap((bar, place) => {
      const x = margin + place * step;
      const middle = x + step / 2;
      const half = (bar.label.length * LETTER) / 2;
      const named = Math.min(Math.max(middle, half), WIDTH - half);
      const labelled = named - half >= free;
      if (labelled) free = named + half + 3;
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
                y: Math.min(bottom - tall, bar.declared === null ? bottom : declared) - 4,
                "text-anchor": "middle",
                class: "faint",
              },
              short(bar.count),
            )
          : null,
        labelled ? drawn("text", { x: named, y: HEIGHT - 4, "text-anchor": "middle" }, bar.label) : null,
      ];
    }),
  ];
}

/** Return what a picture is called, with its table where several are shown and it isn't of all that count the same. */
export const titleOf = ({ table, title, shared }, many) =>
  many && !shared && !title.startsWith(table)
    ? `${capitalized(titled(table))}: ${titled(title).toLowerCase()}`
    : titled(title);
