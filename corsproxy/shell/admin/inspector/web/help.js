// Keys and filters, on one card.

import { button, el, openDialog } from "./dom.js";
import { KEY_NAMES, STATE_NAMES } from "./filter.js";

const KEYS = [
  ["j k", "the next call, the one before"],
  ["enter", "open it"],
  ["a", "allow it"],
  ["r", "replay it"],
  ["c", "copy it as curl"],
  ["/", "filter"],
  ["p", "pause"],
  ["x", "clear"],
  ["esc", "close"],
];

const FILTERS = [
  ["users", "anywhere in the row"],
  ["outcome:blocked", "what the browser makes of it"],
  ["origin:*.example.com", "* is anything"],
  ["status:4xx", "exact values; x is any digit"],
  ["-is:preflight", "- is not"],
  ['path:"/a b"', "quotes keep spaces"],
];

export function openHelp() {
  const rows = (pairs) => pairs.map(([what, words]) => [el("dt", {}, el("kbd", {}, what)), el("dd", {}, words)]);
  const dialog = el(
    "dialog.help",
    { "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Help"),
    el("div.columns", {}, el("dl", {}, rows(KEYS)), el("dl", {}, rows(FILTERS))),
    el("p.note", {}, `Keys of a filter: ${KEY_NAMES.join(", ")}. After is: ${STATE_NAMES.join(", ")}.`),
    el("div.buttons", {}, button("Close", () => dialog.close(), { autofocus: true })),
  );
  openDialog(dialog);
}
