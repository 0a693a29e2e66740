// The tab "Messages": the last frames of a WebSocket, or events of a stream.

import { el } from "./dom.js";
import { bytes, clockToTheMillisecond } from "./text.js";

export function messagesTab({ messages, row }, context) {
  if (!messages.length) {
    return el("p.note", {}, row.stream ? "None yet." : "Not a stream: WebSocket messages and server-sent events appear here.");
  }
  return [
    messages.length === 100 && el("p.note", {}, "Only the last 100 are kept."),
    el(
      "table.messages",
      { "aria-label": "Messages" },
      el("thead", {}, el("tr", {}, ["", "At", "Kind", "Content", "Size"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, messages.map((message) => line(message, context))),
    ),
  ];
}

function line({ at, direction, kind, text, hex, size, cut, id }, context) {
  const isSent = direction === "to_upstream";
  return el(
    `tr.${isSent ? "sent" : "received"}`,
    { "data-direction": direction },
    el("td.sign", {}, el("span", { role: "img", "aria-label": isSent ? "sent by the page" : "received by the page" }, isSent ? "↑" : "↓")),
    el("td.at", {}, clockToTheMillisecond(at)),
    el("td.kind", {}, context.text(kind), id ? el("span.dim", {}, " #", context.text(id)) : null),
    el("td.content", {}, text === undefined ? el("code.hex", {}, hex ?? "") : context.text(text), cut ? el("span.dim", {}, " …") : null),
    el("td.size", {}, bytes(size)),
  );
}
