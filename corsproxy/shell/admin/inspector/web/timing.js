// The tab "Timing": where the time went, as bars on one scale.

import { el } from "./dom.js";
import { clockToTheMillisecond, duration } from "./text.js";

const ABOUT = {
  Queue: "waiting for a free connection",
  Connect: "DNS lookup and TCP connection",
  TLS: "TLS handshake with the upstream",
  Waiting: "until the upstream's response began",
  Receiving: "until its last byte",
  Answering: "answered by this proxy",
};

export function timingTab({ timing, row }) {
  const whole = Math.max(row.ms ?? 0, ...timing.map(({ to }) => to), 0.001);
  const isNew = timing.some(({ name }) => name === "Connect");
  return [
    el("p.note", {}, `Started at ${clockToTheMillisecond(row.at)}`, row.ms === undefined ? ", still running" : `, took ${duration(row.ms)}`),
    el(
      "table.timing",
      { "aria-label": "Timing" },
      el("tbody", {}, timing.map((span) => bar(span, whole))),
    ),
    !isNew && timing.some(({ name }) => name === "Waiting") && el("p.note", {}, "Sent on a connection that was already open."),
  ];
}

function bar({ name, from, to }, whole) {
  const fill = el(`div.fill.${name.toLowerCase()}`);
  fill.style.marginInlineStart = `${(from / whole) * 100}%`;
  fill.style.width = `${Math.max(((to - from) / whole) * 100, 0.4)}%`;
  return el(
    "tr",
    {},
    el("th", { scope: "row", title: ABOUT[name] }, name),
    el("td.track", { "aria-hidden": "true" }, fill),
    el("td.length", {}, duration(to - from)),
  );
}
