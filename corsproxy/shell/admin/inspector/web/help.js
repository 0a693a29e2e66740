// Keys and filters, on one card.

import { button, el, openDialog } from "./dom.js";
import { KEY_NAMES, STATE_NAMES } from "./filter.js";

const KEYS = [
  ["j k", "next call, previous call"],
  ["home end", "newest call, oldest call"],
  ["enter", "open it"],
  ["a", "allow it"],
  ["r", "replay it"],
  ["c", "copy it as curl"],
  ["/", "go to the filter"],
  ["p", "pause or resume"],
  ["x", "clear the list"],
  ["esc", "close"],
];

const FILTERS = [
  ["users", "anywhere in the row"],
  ["outcome:blocked", "what the page gets"],
  ["origin:*.example.com", "whole values; * is anything"],
  ["status:4xx", "any status from 400 to 499"],
  ["-method:GET", "everything but that"],
  ['path:"/a b"', "a value with spaces"],
  ["is:stream", "one of the states below"],
];

function list(names) {
  return names.flatMap((name, at) => [at === 0 ? "" : at === names.length - 1 ? " or " : ", ", el("code", {}, name)]);
}

export function openHelp() {
  const rows = (pairs) => pairs.map(([what, words]) => [el("dt", {}, el("kbd", {}, what)), el("dd", {}, words)]);
  const dialog = el(
    "dialog.help",
    { "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Help"),
    el("div.columns", {}, el("dl", {}, rows(KEYS)), el("dl", {}, rows(FILTERS))),
    el("p.note", {}, "A filter can name ", list(KEY_NAMES.filter((name) => name !== "is")), "."),
    el("p.note", {}, el("code", {}, "is:"), " takes ", list(STATE_NAMES), "."),
    el("div.buttons", {}, button("Close", () => dialog.close(), { autofocus: true })),
  );
  openDialog(dialog);
}
