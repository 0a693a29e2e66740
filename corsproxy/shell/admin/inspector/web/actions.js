// The actions of the buttons and keys.

import { button, el, openDialog } from "./dom.js";
import { Refused, ask } from "./feed.js";
import { times } from "./text.js";
import { remark } from "./toast.js";

/** Run `act`, and show its error. Returns its result, undefined if it failed. */
export async function trying(act) {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Refused) remark(error.message, true);
    else if (error instanceof TypeError) remark("The proxy does not answer.", true);
    else throw error;
    return undefined;
  }
}

const COPIED = { curl: "curl command", fetch: "fetch call", explain: "explain command", test: "test case" };

/** Put a copy of a call into the clipboard. */
export function copyAs(id, form, secrets = false) {
  return trying(async () => {
    const { text, complete, reason } = await ask(`rows/${id}/copy`, { as: form, secrets });
    if (reason !== undefined) {
      remark(reason, true);
      return;
    }
    await toClipboard(text);
    const less = complete ? "" : ", without its body, which is too long to be kept whole";
    remark(`Copied as ${COPIED[form]}${secrets ? ", with its secrets" : ""}${less}.`);
  });
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    showToCopy(text);
  }
}

/** Show the text, selected, for when the clipboard is not accessible. */
function showToCopy(text) {
  const area = el("textarea", { value: text, readOnly: true, rows: 8, "aria-label": "Text to copy" });
  const dialog = el(
    "dialog.copy",
    { "aria-label": "Copy" },
    el("h2", {}, "Copy"),
    area,
    el("div.buttons", {}, button("Close", () => dialog.close(), { class: "quiet" })),
  );
  openDialog(dialog);
  area.select();
}

/** Send a call again; `sent(id)` gets the new row's id. Unsafe methods ask first. */
export function replay(id, how, sent) {
  return trying(async () => {
    const found = await ask(`rows/${id}/replay`, how);
    if (found.sent) {
      remark("Sent again.");
      sent(found.id);
    } else if (found.asks) {
      confirmReplay(found.reason, () => replay(id, { ...how, confirmed: true }, sent));
    } else {
      remark(found.reason, true);
    }
  });
}

function confirmReplay(reason, go) {
  const dialog = el(
    "dialog.confirm",
    { "aria-labelledby": "confirm-title" },
    el("h2", { id: "confirm-title" }, "Send it again?"),
    el("p", {}, reason),
    el(
      "div.buttons",
      {},
      button("Cancel", () => dialog.close(), { class: "quiet", autofocus: true }),
      button("Send", () => {
        dialog.close();
        go();
      }),
    ),
  );
  openDialog(dialog);
}

/** Ask how to send a call, then send it. */
export function replayAs(row, sent) {
  const origin = el("input", { type: "text", id: "replay-origin", value: row.origin ?? "", spellcheck: false, placeholder: "https://app.example.com" });
  const bare = el("input", { type: "checkbox", id: "replay-bare" });
  const preflight = el("input", { type: "checkbox", id: "replay-preflight" });
  const dialog = el(
    "dialog.confirm",
    { "aria-labelledby": "replay-title" },
    el("h2", { id: "replay-title" }, "Send it differently"),
    el("p.field", {}, el("label", { htmlFor: "replay-origin" }, "As a page on"), origin),
    el("p.choice", {}, bare, el("label", { htmlFor: "replay-bare" }, "without cookies and Authorization")),
    el("p.choice", {}, preflight, el("label", { htmlFor: "replay-preflight" }, "the preflight alone")),
    el(
      "div.buttons",
      {},
      button("Cancel", () => dialog.close(), { class: "quiet" }),
      button("Send", () => {
        const how = { cookies: !bare.checked, preflight: preflight.checked };
        if (origin.value && origin.value !== row.origin) how.origin = origin.value.trim();
        dialog.close();
        replay(row.id, how, sent);
      }),
    ),
  );
  openDialog(dialog);
}

/** Save the calls as a HAR file. */
export function saveHar(ids, secrets = false) {
  return trying(async () => {
    const found = await ask("har", { ids, secrets });
    const blob = new Blob([JSON.stringify(found, null, 1)], { type: "application/json" });
    const url = URL.createObjectURL(blob);
    el("a", { href: url, download: `corsproxy-${stamp()}.har` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    remark(`Saved ${times(found.log.entries.length, "entry", "entries")}, ${secrets ? "with" : "without"} secrets.`);
  });
}

function stamp() {
  return new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
}
