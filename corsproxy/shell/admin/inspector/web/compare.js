// Two calls side by side, with their differences.

import { trying } from "./actions.js";
import { button, el, openDialog } from "./dom.js";
import { ask } from "./feed.js";
import { indented } from "./json.js";
import { duration, shown } from "./text.js";
import { say } from "./toast.js";

export class Compare {
  #first = null;

  /** The next call that is opened is compared with this one. */
  begin(id) {
    this.#first = id;
    say("compare", [
      el("span", {}, "Now choose the call to compare it with."),
      button("Cancel", () => this.cancel(), { class: "quiet" }),
    ]);
  }

  /** Whether there was something to cancel. */
  cancel() {
    const was = this.#first !== null;
    this.#first = null;
    say("compare", null);
    return was;
  }

  /** Take the second call; false if none is expected. */
  take(id) {
    const first = this.#first;
    if (first === null) return false;
    this.cancel();
    if (first !== id) trying(() => compare(first, id));
    return true;
  }
}

async function compare(first, second) {
  const [one, other] = await Promise.all([ask(`rows/${first}`), ask(`rows/${second}`)]);
  const rows = [...facts(one, other), ...fields("request", one, other), ...fields("response", one, other), ...bodies(one, other)];
  const different = rows.filter(({ same }) => !same);
  const dialog = el(
    "dialog.compare",
    { "aria-labelledby": "compare-title" },
    el("h2", { id: "compare-title" }, different.length ? `${different.length} differences` : "No difference"),
    el(
      "div.scroll",
      { tabIndex: 0, role: "region", "aria-label": "Differences" },
      el(
        "table.fields",
        {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, ""), head(one), head(other))),
        el("tbody", {}, [...different, ...rows.filter(({ same }) => same)].map(line)),
      ),
    ),
    el("div.buttons", {}, button("Close", () => dialog.close(), { autofocus: true })),
  );
  openDialog(dialog);
}

function head({ row }) {
  return el("th", { scope: "col" }, shown(`${row.method} ${row.path}`));
}

function line({ name, one, other, same }) {
  return el(`tr.${same ? "kept" : "changed"}`, {}, el("th", { scope: "row" }, shown(name)), el("td", {}, shown(one)), el("td", {}, shown(other)));
}

function pair(name, one, other) {
  return { name, one: one ?? "–", other: other ?? "–", same: one === other };
}

function facts(one, other) {
  const names = { method: "Method", path: "Path", origin: "Origin", status: "Status", outcome: "Outcome", code: "Decision", route: "Route" };
  return [
    ...Object.entries(names).map(([key, name]) => pair(name, one.row[key], other.row[key])),
    pair("Rule", one.why.at, other.why.at),
    pair("Time", one.row.ms && duration(one.row.ms), other.row.ms && duration(other.row.ms)),
  ];
}

/** The headers of what the browser sent or got. */
function fields(direction, one, other) {
  const of = (found) => {
    const values = new Map();
    for (const { name, change, before, after } of found.headers[direction].fields) {
      const value = direction === "request" ? before : change === "kept" ? before : after;
      if (value === undefined) continue;
      const key = name.toLowerCase();
      values.set(key, values.has(key) ? `${values.get(key)}, ${value}` : value);
    }
    return values;
  };
  const [here, there] = [of(one), of(other)];
  return [...new Set([...here.keys(), ...there.keys()])].map((name) => pair(`${direction === "request" ? "→" : "←"} ${name}`, here.get(name), there.get(name)));
}

function bodies(one, other) {
  const of = (found, side) => (found.body[side]?.text === undefined ? undefined : indented(found.body[side].text));
  return ["request", "response"].map((side) => pair(`${side === "request" ? "→" : "←"} body`, of(one, side), of(other, side)));
}
