// The tab "Headers": received, changed by the proxy and sent, for both directions.

import { el } from "./dom.js";
import { breakable } from "./text.js";

const SIGNS = { kept: "", added: "+", removed: "−", changed: "±" };
const WORDS = { kept: "unchanged", added: "added by the proxy", removed: "removed by the proxy", changed: "changed by the proxy" };

// The headers that people look for come first.
const PINNED = /^(access-control-|origin$|vary$|set-cookie$|cookie$|location$|corsproxy-)/i;

export function headersTab({ headers, preflight, upstream_url: upstream }, context) {
  const parts = [
    response(headers.response, context),
    cookies(headers.response.cookies ?? [], context),
    request(headers.request, upstream, context),
  ];
  if (preflight !== undefined) {
    parts.push(
      el("h3.part", {}, "Its preflight"),
      table("Preflight response", ["from the proxy", "browser got"], preflight.response.fields, context),
      table("Preflight request", ["browser sent", ""], preflight.request.fields, context),
    );
  }
  return parts;
}

function response(found, context) {
  const changed = found.upstream_line && found.upstream_line !== found.line ? `${found.upstream_line} → ${found.line}` : found.line;
  const source = found.from_upstream ? "upstream sent" : "from the proxy";
  return [
    el("h3.part", {}, "Response ", el("code", {}, context.text(changed || "none yet"))),
    table("Response", [source, "browser got"], found.fields, context),
  ];
}

function request(found, upstream, context) {
  return [
    el("h3.part", {}, "Request ", el("code", {}, context.text(found.line))),
    upstream && el("p.note", {}, "sent to ", el("code", {}, context.text(upstream))),
    table("Request", ["browser sent", found.forwarded ? "upstream got" : ""], found.fields, context),
  ];
}

function table(name, [before, after], fields, context) {
  if (!fields.length) return el("p.note", {}, "No headers.");
  const pinned = fields.filter(({ name: field }) => PINNED.test(field));
  const rest = fields.filter(({ name: field }) => !PINNED.test(field));
  return el(
    "table.fields",
    { "aria-label": `${name} headers` },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Name"), el("th", { scope: "col" }, before), el("th", { scope: "col" }, after))),
    el("tbody", {}, [...pinned, ...rest].map((field) => line(field, context))),
  );
}

function value(text, context) {
  if (text === undefined) return "";
  return /^[a-z]+:\/\/[\w.:-]+$/.test(text) ? breakable(text) : context.text(text); // an origin
}

function line({ name, change, before, after }, context) {
  const sign = el("span.sign", { role: "img", "aria-label": WORDS[change], title: WORDS[change] }, SIGNS[change]);
  const cells =
    change === "kept"
      ? [el("td", { colSpan: 2 }, value(before, context))]
      : [el("td.before", {}, value(before, context)), el("td.after", {}, value(after, context))];
  return el(`tr.${change}`, {}, el("th", { scope: "row" }, change === "kept" ? null : sign, context.text(name)), cells);
}

function cookies(list, context) {
  if (!list.length) return [];
  return [
    el("h3.part", {}, "What happens to the cookies"),
    el(
      "ul.cookies",
      {},
      list.map(({ name, remarks }) =>
        el("li", {}, el("code", {}, context.text(name)), " ", remarks.length ? remarks.join("; ") : "stored as the upstream sent it"),
      ),
    ),
  ];
}
