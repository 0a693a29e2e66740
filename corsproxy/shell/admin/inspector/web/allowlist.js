// The view "Allowlist": the policy in force, and how often each entry was used.

import { trying } from "./actions.js";
import { diffOf } from "./allow.js";
import { button, el } from "./dom.js";
import { ask } from "./feed.js";
import { ago, breakable, shown, times } from "./text.js";

const TITLES = { origin: "Origins", method: "Methods", header: "Request headers", credentials: "Credentials", expose: "Exposed headers" };

/** Redraw the view. */
export async function showAllowlist(host, { open, store }) {
  const found = await trying(() => ask("allowlist"));
  if (found === undefined || host.hidden) return;
  host.replaceChildren(
    el(
      "header.head",
      {},
      el("h1", {}, "Allowlist"),
      el("p.note", {}, found.file ? ["In force, from ", el("code", {}, shown(found.file))] : "In force without a file: pages on this machine may call. Changes last until the proxy stops."),
      button("Refresh", () => showAllowlist(host, { open, store }), { class: "small quiet" }),
    ),
    ...[refusals(found.refusals, open, store), learnt(found.learnt)].filter((part) => part !== null),
    el("div.routes", {}, found.routes.map(route)),
  );
}

function route({ name, path, upstream, at, passthrough, entries }) {
  const kinds = Object.keys(TITLES).filter((kind) => entries.some((entry) => entry.kind === kind));
  return el(
    "section.route",
    { "aria-label": `Route ${name}` },
    el("h2", {}, el("code", {}, shown(path)), " → ", el("code", {}, shown(upstream)), at && el("code.place", {}, shown(at))),
    passthrough && el("p.note", {}, "passthrough: the upstream sends its own CORS headers."),
    kinds.length > 0 &&
      el(
        "table.entries",
        { "aria-label": `Entries of ${name}` },
        el("thead", {}, el("tr", {}, ["Entry", "Where", "Calls", "Preflights", "Last"].map((title) => el("th", { scope: "col" }, title)))),
        kinds.map((kind) =>
          el(
            "tbody",
            {},
            el("tr.kind", {}, el("th", { scope: "rowgroup", colSpan: 5 }, TITLES[kind])),
            entries.filter((entry) => entry.kind === kind).map(line),
          ),
        ),
      ),
  );
}

function line({ value, at, calls, preflights, last }) {
  const isUnused = calls === 0 && preflights === 0;
  return el(
    `tr${isUnused ? ".unused" : ""}`,
    {},
    el("td.wide", {}, el("code", {}, breakable(value))),
    el("td", { "data-label": "Where" }, at ? el("code.place", {}, shown(at)) : el("span.dim", {}, "by default")),
    number("Calls", calls),
    number("Preflights", preflights),
    el("td.number", { "data-label": "Last" }, last ? ago(last) : "–"),
  );
}

function number(label, value) {
  return el("td.number", { "data-label": label }, value === undefined ? "" : String(value));
}

function refusals(list, open, store) {
  if (!list.length) return el("p.calm", {}, "Nothing has been refused since the proxy started.");
  return el(
    "section.refusals",
    { "aria-labelledby": "refused-title" },
    el("h2", { id: "refused-title" }, "Refused"),
    el(
      "table.entries",
      { "aria-label": "Refused" },
      el("thead", {}, el("tr", {}, ["Why", "What", "Origin", "Calls", "Preflights", "Last", "Proposal"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, list.map((each) => refusal(each, open, store))),
    ),
  );
}

/** The proposal of `corsproxy learn` for the refused calls. */
function learnt(found) {
  if (!found?.diff?.length && !found?.others?.length) return null;
  return el(
    "section.learnt",
    { "aria-labelledby": "learnt-title" },
    el("h2", { id: "learnt-title" }, "What ", el("code", {}, "corsproxy learn"), " would propose"),
    found.diff.length > 0 ? diffOf(found.diff) : el("p.note", {}, "It would not add anything on its own."),
    found.others.map(({ origin, reason, times: seen }) => el("p.note", {}, el("code", {}, breakable(origin)), ` (${times(seen)}): ${reason}`)),
  );
}

function proposal({ kind, proposed, mended }) {
  if (mended) return el("span.good", {}, "allowed now");
  if (kind === null) return el("span.dim", {}, "no entry would allow it");
  if (proposed) return el("span", {}, `add the ${kind}`);
  return el("span.dim", {}, kind === "host" ? "none: anyone can choose the name" : "none: the page is on another machine");
}

function refusal(found, open, store) {
  const { code, subject, origin, method, calls, preflights, last, row } = found;
  const isThere = store.get(row) !== undefined;
  return el(
    "tr",
    {},
    el("td.wide", {}, el("code.bad", {}, code)),
    el("td", { "data-label": "What" }, shown(method || "–"), subject && subject !== origin && subject !== method ? [" ", el("code", {}, shown(subject))] : null),
    el("td", { "data-label": "Origin" }, el("code", {}, breakable(origin || "–"))),
    number("Calls", calls),
    number("Preflights", preflights),
    el("td.number", { "data-label": "Last" }, last ? ago(last) : "–"),
    el("td.proposal", { "data-label": "Proposal" }, proposal(found), " ", isThere ? button("Open", () => open(row), { class: "small quiet" }) : null),
  );
}
