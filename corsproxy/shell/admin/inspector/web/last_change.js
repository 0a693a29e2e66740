// The last change of the allowlist, shown in every window until it is undone, is gone from the
// file, or is dismissed in one window.

import { trying } from "./actions.js";
import { showEdit } from "./allow.js";
import { button, el } from "./dom.js";
import { ask } from "./feed.js";
import { inWords } from "./text.js";
import { remark } from "./toast.js";

const DISMISSED = "corsproxy-inspector-dismissed";
const EDITED = "The file has been edited since. Undo would remove what Allow added, and keep the rest:";
const AGAIN = "The file has just been changed again, so nothing was written. This is the edit for the file as it is now:";

/** The bar at the bottom of the page. */
export class LastChange {
  #store;
  #bar;
  #done;

  /** `done` is called after each attempt to undo. */
  constructor(store, bar, done) {
    this.#store = store;
    this.#bar = bar;
    this.#done = done;
    window.addEventListener("storage", () => this.update());
  }

  update() {
    const { undo: summary, change } = this.#store.state;
    const key = `${this.#store.epoch}-${change}`;
    const bar = this.#bar;
    bar.hidden = !summary || dismissed() === key;
    if (bar.hidden || bar.dataset.key === key) return;
    bar.dataset.key = key;
    bar.replaceChildren(
      el("span", {}, `Allowed: ${inWords(summary)}`),
      button("Undo", () => this.#undo(change)),
      button("×", () => dismiss(key, bar), { class: "close", "aria-label": "Dismiss" }),
    );
  }

  /** Undo; if the file has been edited since, after showing what would be removed. */
  async #undo(change) {
    (await this.#ask(change, "", EDITED))();
  }

  /** Try to undo; returns what to do next. */
  async #ask(change, known, words) {
    const found = await trying(() => ask("undo", { change, known }));
    this.#done();
    return () => {
      if (found === undefined) return;
      if (found.undone) remark(`Undone: ${inWords(found.summary)}`);
      else if (!found.possible) remark(found.reason, true);
      else showEdit(["Undo in ", el("code", {}, found.file)], found, () => this.#ask(change, found.known, AGAIN), words);
    };
  }
}

function dismissed() {
  try {
    return localStorage.getItem(DISMISSED);
  } catch {
    return null; // the browser has storage disabled
  }
}

function dismiss(key, bar) {
  try {
    localStorage.setItem(DISMISSED, key);
  } catch {
    // as above: dismissed in this window only
  }
  bar.hidden = true;
}
