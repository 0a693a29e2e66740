// Runs the demo: every call directly and through the proxy, then the refused ones.

import { el } from "./dom.js";
import { make } from "./browser.js";
import { CALLS, code, HERO, methodOf, REFUSALS } from "./calls.js";
import { Observed } from "./observed.js";
import * as outcomes from "./outcome.js";
import { PolicyPanel } from "./policy.js";
import { Refusal } from "./refusals.js";

const setup = await (await fetch("setup.json")).json();
const observed = new Observed("observed");
const byId = (id) => document.getElementById(id);

/** Open `url` in a new window on one half of the screen; returns whether the browser allowed it. */
function openHalf(url, side) {
  const { availWidth, availHeight: height, availLeft = 0, availTop: top = 0 } = screen;
  const width = Math.round(availWidth / 2);
  const left = availLeft + (side === "right" ? width : 0);
  return window.open(url, "_blank", `popup,left=${left},top=${top},width=${width},height=${height}`) !== null;
}

// No page may put the inspector into a frame, and no script may resize a tab. So both halves
// are separate windows. Browsers that allow one window per click need a second click.
let isInspectorOpen = false;

function besides() {
  isInspectorOpen ||= openHalf(setup.inspector, "right");
  const isAlone = outerWidth <= screen.availWidth * 0.6;
  const isBeside = isInspectorOpen && (isAlone || openHalf(location.href, "left"));
  byId("inspect").textContent = isBeside ? BESIDE : "Now this page, on the left half";
  if (isBeside) isInspectorOpen = false;
}

const BESIDE = "Side by side with the inspector";
if (setup.inspector) {
  byId("inspect").textContent = BESIDE;
  byId("inspect").hidden = false;
  byId("inspect").addEventListener("click", besides);
}

/** Make `call` directly and through the proxy; `show` gets each outcome as it comes. */
async function twice(call, show) {
  const direct = await once(setup.api, "api", call);
  show.direct(...direct);
  const proxied = await once(setup.proxy, "proxy", call);
  show.proxied(...proxied);
  return { direct: direct[0].read, proxied: proxied[0].read };
}

/** Make `call` to `base`; returns the outcome, and what `where` saw of it. */
async function once(base, where, call) {
  const start = observed.last;
  const mine = (entry) =>
    entry.where === where && entry.path === call.path && entry.origin === location.origin;
  const final = (entry) => mine(entry) && (entry.kind !== "preflight" || !entry.allowed);
  const outcome = await make(base, call);
  const seen = await observed.until(start, final);
  return [outcome, seen.filter(mine)];
}

/** The first call, side by side and in full. */
function hero() {
  const page = ["This page", setup.page];
  const proxy = ["corsproxy", setup.proxy];
  const api = ["API", setup.api];
  const side = (title, base, stations, good) => {
    const result = el("div.result", {}, outcomes.waiting());
    byId("hero").append(
      el(
        `article.card.${good ? "good" : "bad"}`,
        {},
        el("h2", {}, title),
        outcomes.way(stations, good),
        el("pre.code", { tabIndex: 0 }, el("code", {}, `await ${code(`"${base}"`, HERO)}`)),
        result,
      ),
    );
    return (outcome, story) => {
      const words = outcome.read ? "The page reads it" : "Blocked by the browser";
      result.replaceChildren(outcomes.mark(outcome.read, words), ...story);
    };
  };
  const direct = side("Directly", setup.api, [page, api], false);
  const proxied = side("Through corsproxy", setup.proxy, [page, proxy, api], true);
  return () =>
    twice(HERO, {
      direct: (outcome, seen) => direct(outcome, outcomes.directStory(HERO, outcome, seen)),
      proxied: (outcome, seen) => proxied(outcome, outcomes.proxiedStory(HERO, outcome, seen)),
    });
}

/** Any other call: a row of the table, with the details folded in. */
function row(call) {
  const cell = (label) => {
    const value = el("span.value", {}, outcomes.waiting());
    return { value, cell: el("span.cell", {}, el("span.label", {}, `${label}: `), value) };
  };
  const direct = { ...cell("Direct"), story: el("div.story") };
  const proxied = { ...cell("Through corsproxy"), story: el("div.story") };
  const request = `${methodOf(call)} ${call.path}`;
  const title = el("span.cell", {}, el("b", {}, call.title), el("code", {}, request));
  const source = el("pre.code", { tabIndex: 0 }, el("code", {}, code("API", call)));
  byId("calls").append(
    el(
      "details.row",
      {},
      el("summary", {}, title, direct.cell, proxied.cell),
      el("div.sides", {}, source, direct.story, proxied.story),
    ),
  );
  return () =>
    twice(call, {
      direct: (outcome, seen) => {
        direct.value.replaceChildren(outcomes.directSummary(outcome, seen));
        direct.story.replaceChildren(...outcomes.directStory(call, outcome, seen));
      },
      proxied: (outcome, seen) => {
        proxied.value.replaceChildren(outcomes.proxiedSummary(outcome, call));
        proxied.story.replaceChildren(...outcomes.proxiedStory(call, outcome, seen));
      },
    });
}

function journalLine({ where, method, path, origin, status, code: verdict, at }) {
  return el(
    "tr",
    {},
    el("td", {}, where === "api" ? "API" : "corsproxy"),
    el("td", {}, el("code", {}, `${method} ${path}`), origin ? ` from ${origin}` : ""),
    el("td", {}, String(status)),
    el("td", {}, `${verdict ?? ""}${at ? ` (${at})` : ""}`),
  );
}

async function runAll() {
  byId("again").disabled = true;
  byId("tally").textContent = "Calling…";
  let direct = 0;
  let proxied = 0;
  let refused = 0;
  for (const run of calls) {
    const read = await run();
    direct += Number(read.direct);
    proxied += Number(read.proxied);
  }
  for (const refusal of refusals) refused += Number(!(await refusal.run()));
  byId("tally").textContent =
    `Read: ${direct} of ${calls.length} directly, ${proxied} of ${calls.length} ` +
    `through corsproxy. Refused on purpose: ${refused}.`;
  byId("again").disabled = false;
  document.body.dataset.state = "done";
}

for (const place of document.querySelectorAll("[data-setup]")) {
  place.textContent = setup[place.dataset.setup];
}
const panel = new PolicyPanel(async (id) => {
  for (const refusal of refusals) {
    if (id === null || refusal.call.id === id) await refusal.run();
  }
});
await panel.load();
const calls = [hero(), ...CALLS.map(row)];
const refusals = REFUSALS.map(
  (call, index) => new Refusal(call, String(index + 1), setup, observed, panel),
);
byId("refusals").append(...refusals.map(({ element }) => element));
observed.onEntry((entry) => byId("journal").prepend(journalLine(entry)));
byId("again").addEventListener("click", runAll);
await runAll();
