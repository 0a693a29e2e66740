// Shows captured text safely: characters that would control or reorder the page are escaped, and
// secrets are marks until they are revealed.

import { el } from "./dom.js";

const MARK = /\[redacted:([0-9a-f]{16})\]/;
// Controls, invisible and direction-changing characters (Unicode TR36).
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/;
const UNSAFE = new RegExp(`(${MARK.source.replace("(", "(?:")})|(${INVISIBLE.source})`);

/** Text as nodes. `reveal(mark, chip)` is called when the user reveals a secret. */
export function shown(text, reveal = null) {
  const nodes = [];
  let rest = String(text);
  for (;;) {
    const found = UNSAFE.exec(rest);
    if (found === null) break;
    if (found.index) nodes.push(rest.slice(0, found.index));
    nodes.push(found[1] ? secret(MARK.exec(found[1])[1], reveal) : escaped(found[2]));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) nodes.push(rest);
  return nodes;
}

function escaped(character) {
  const code = character.charCodeAt(0).toString(16).padStart(4, "0");
  return el("span.escaped", { title: "an invisible character" }, `\\u${code}`);
}

let chips = 0;

function secret(mark, reveal) {
  const id = `secret-${(chips += 1)}`;
  const chip = el("span.secret", { title: "A secret. Equal ones have equal marks.", id }, mark.slice(0, 8));
  if (reveal === null) return chip;
  const ask = el("button.reveal", { type: "button", "aria-describedby": id }, "Reveal");
  ask.addEventListener("click", () => reveal(mark, chip, ask));
  return el("span.secret-pair", {}, chip, ask);
}

/** Text that lines may break where an address has parts, and not within a name. */
export function breakable(text) {
  return String(text).split(/(?<=:\/\/)|(?=[.:@](?!\/\/))/).flatMap((part, at) => [at ? el("wbr") : null, shown(part)]);
}

/** The same as plain text, for titles and labels. */
export function plain(text) {
  return String(text).replace(new RegExp(INVISIBLE.source, "g"), "\ufffd");
}

/** 1536 as "1.5 KB". */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  const units = ["KB", "MB", "GB", "TB"];
  let value = size;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Milliseconds as people read them. */
export function duration(ms) {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** A sentence and, preformatted, the lines that follow it: carets point into the lines of a file. */
export function sentences(text) {
  const [sentence, ...lines] = String(text).split("\n");
  return [el("span", {}, shown(sentence)), lines.length > 0 && el("pre", { tabIndex: 0, "aria-label": "Details" }, shown(lines.join("\n")))];
}

/** The summary of an edit, "+ method PUT, + header x-a", without its signs. */
export function inWords(summary) {
  return summary.replace(/(^|, )\+ /g, "$1");
}

/** 1 and "time" as "1 time", 2 as "2 times". */
export function times(count, one = "time", many = "times") {
  return `${count} ${count === 1 ? one : many}`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

export function clock(at) {
  return CLOCK.format(at);
}

export function clockToTheMillisecond(at) {
  return `${CLOCK.format(at)}.${String(Math.floor(at) % 1000).padStart(3, "0")}`;
}

export function ago(at) {
  const seconds = Math.max(0, (Date.now() - at) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return clock(at);
}
