// An outcome in words: what the script saw, and what it could not see.

import { el, prose } from "./dom.js";
import { methodOf } from "./calls.js";

const bare = (origin) => origin.replace("http://", "");

/** A short coloured line: a mark, a word, and a reason. Colour is never the only sign. */
export function mark(good, word, detail = "") {
  return el(
    `span.mark.${good ? "good" : "bad"}`,
    {},
    el("span.sign", { "aria-hidden": "true" }, good ? "✓" : "✕"),
    el("strong", {}, word),
    detail ? el("span.detail", {}, detail) : null,
  );
}

export const waiting = () => el("span.mark.waiting", {}, "calling…");

export function directSummary(outcome, seen) {
  if (outcome.read) return mark(true, String(outcome.status));
  return mark(false, "blocked", preflightOf(seen) ? "preflight failed" : "response withheld");
}

export function proxiedSummary(outcome, call) {
  if (!outcome.read) return mark(false, "blocked");
  if (call.stream) {
    return mark(true, "200", `${outcome.body.split("\n").length} events, each as it came`);
  }
  return mark(true, String(outcome.status), firstLine(outcome.body));
}

/** Why the browser refused, from what the API saw. */
export function directStory(call, outcome, seen) {
  const preflight = preflightOf(seen);
  const facts = preflight
    ? `The browser asked the API first, with \`OPTIONS\`, and got ${preflight.status} without a
       word about CORS. So the ${methodOf(call)} was never sent.`
    : `The API did answer: ${seen.at(-1)?.status ?? ""}. But the answer does not say that this page
       may read it, so the browser throws it away.`;
  return [
    el("p.error", {}, outcome.error ?? ""),
    el("p", {}, ...prose(facts)),
    el("p.console", {}, consoleLine(call, preflight)),
  ];
}

/** What Chrome's console says about it. */
function consoleLine(call, preflight) {
  const what = call.stream ? "Access to resource" : "Access to fetch";
  const check = preflight
    ? "Response to preflight request doesn't pass access control check: "
    : "";
  return (
    `${what} … from origin '${location.origin}' has been blocked by CORS policy: ${check}` +
    "No 'Access-Control-Allow-Origin' header is present on the requested resource."
  );
}

export function proxiedStory(call, outcome, seen) {
  const story = [];
  if (outcome.read && !call.stream) {
    story.push(el("p.status", {}, `${outcome.status} ${outcome.reason}`));
  }
  if (outcome.body) story.push(body(outcome.body));
  if (outcome.read && !call.stream) story.push(readable(outcome.headers));
  if (seen.length) story.push(trail(seen));
  if (call.after) story.push(el("p", {}, call.after));
  return story;
}

export const body = (text) => el("pre.body", { tabIndex: 0 }, el("code", {}, text));

function readable(headers) {
  const shown = headers.filter(([name]) => name !== "content-length");
  return el(
    "dl.headers",
    {},
    ...shown.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
}

/** The exchanges at the proxy, such as “OPTIONS 204, PUT 200”, and the rule that allowed them. */
export function trail(seen) {
  const rule = seen.at(-1)?.at;
  const steps = seen.map(({ method, status }) => `${method} ${status}`).join(", then ");
  return el("p", {}, ...prose(`${rule ? `Allowed by \`${rule}\`. ` : ""}The proxy answered ${steps}.`));
}

/** Page → (corsproxy →) API, as a row of stations. */
export function way(stations, good) {
  return el(
    `ol.way.${good ? "good" : "bad"}`,
    { "aria-label": "The path of the call" },
    ...stations.map(([name, origin]) =>
      el("li", {}, el("span.station", {}, el("b", {}, name), el("small", {}, bare(origin)))),
    ),
  );
}

const preflightOf = (seen) => seen.find(({ method }) => method === "OPTIONS");

function firstLine(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 46 ? `${line.slice(0, 45)}…` : line;
}
