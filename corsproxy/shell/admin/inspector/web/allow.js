// Allow: the edit as a diff, then one button that writes it.

import { trying } from "./actions.js";
import { button, el, openDialog } from "./dom.js";
import { ask } from "./feed.js";
import { inWords, shown } from "./text.js";
import { remark } from "./toast.js";

/** Show the edit that allows a call, and write it when it is confirmed; then call `done`. */
export async function offerAllow(id, done) {
  const edit = await trying(() => ask(`rows/${id}/edit`, {}));
  if (edit === undefined) return;
  if (!edit.possible) {
    remark(edit.reason, !edit.allowed);
    return;
  }
  show(id, edit, done);
}

function show(id, edit, done, words = null) {
  const isQuick = edit.mode === "quick";
  const title = isQuick ? ["Allow this call"] : ["Allow this call in ", el("code", {}, shown(edit.file))];
  showEdit(title, edit, write, words, done);

  async function write() {
    const found = await trying(() => ask(`rows/${id}/write`, { known: edit.known }));
    return () => {
      if (found === undefined) return;
      if (found.written) remark("It is in force. Repeat the call, or press r.");
      else if (found.changed && found.possible) show(id, found, done, CHANGED);
      else remark(found.reason, !found.allowed);
    };
  }
}

const CHANGED = "The file has changed in the meantime, so nothing was written. This is the edit for the file as it is now:";

/** Show an edit in a dialog. `write` makes it and returns what to do once the dialog is closed;
 * `words` say why it is shown; `closed` is called whenever it closes. */
export function showEdit(title, edit, write, words = null, closed = () => {}) {
  const isQuick = edit.mode === "quick";
  const confirm = button(isQuick ? "Allow until stopped" : "Write", go, { autofocus: true });
  const dialog = el(
    "dialog.edit",
    { "aria-labelledby": "edit-title" },
    el("h2", { id: "edit-title" }, title),
    words && el("p.note", { role: "alert" }, words),
    el("p.summary", {}, shown(inWords(edit.summary))),
    diffOf(edit.diff),
    edit.warnings.map((warning) => el("pre.warning", {}, shown(warning))),
    edit.untouched.length > 0 && el("p.note", {}, `Routes with a list of their own, left unchanged: ${edit.untouched.join(", ")}`),
    el("p.note", {}, isQuick ? "Not saved: it applies until the proxy stops." : "Only these lines change, and they take effect at once."),
    el("div.buttons", {}, button("Cancel", () => dialog.close(), { class: "quiet" }), confirm),
  );
  openDialog(dialog, closed);
  confirm.focus();

  async function go() {
    confirm.disabled = true;
    const then = await write();
    dialog.close();
    then();
  }
}

/** The lines of a diff. */
export function diffOf(lines) {
  const pre = el("pre.diff", { tabIndex: 0, "aria-label": "The edit as a diff" });
  for (const line of lines) {
    const kind = /^(\+\+\+|---|@@)/.test(line) ? "head" : { "+": "plus", "-": "minus" }[line[0]] ?? "same";
    pre.append(el(`span.line.${kind}`, {}, shown(line), "\n"));
  }
  return pre;
}
