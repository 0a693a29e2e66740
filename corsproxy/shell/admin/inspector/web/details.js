// Everything about one call, in five tabs.

import { copyAs, replay, replayAs } from "./actions.js";
import { bodyTab } from "./body.js";
import { append, button, el } from "./dom.js";
import { Refused, ask } from "./feed.js";
import { headersTab } from "./headers.js";
import { menu } from "./menu.js";
import { messagesTab } from "./messages.js";
import { isBad } from "./table.js";
import { breakable, duration, shown } from "./text.js";
import { timingTab } from "./timing.js";
import { whyTab } from "./why.js";

const TABS = { Why: whyTab, Headers: headersTab, Body: bodyTab, Timing: timingTab, Messages: messagesTab };

/** The panel beside the table. */
export class Details {
  #store;
  #panel;
  #on;
  #tab = "Why";
  #found = null;
  #revealed = new Map();
  #asked = 0;
  id = null;

  /** `on` has {close(), allow(id), compare(id), replayed(id)}. */
  constructor(store, panel, on) {
    this.#store = store;
    this.#panel = panel;
    this.#on = on;
  }

  open(id) {
    if (this.id !== id) {
      this.id = id;
      this.#found = null;
      this.#revealed.clear();
    }
    this.#panel.hidden = false;
    this.refresh();
  }

  close() {
    this.id = null;
    this.#found = null;
    this.#panel.hidden = true;
    this.#panel.replaceChildren();
  }

  /** Fetch the details again if the call has changed. */
  update({ changed, gone, isNew }) {
    if (this.id === null) return;
    if (isNew || gone.includes(this.id)) {
      if (this.#store.get(this.id) === undefined) this.#on.close();
      else this.refresh();
    } else if (changed.some((row) => row.id === this.id)) this.refresh();
  }

  async refresh() {
    const { id } = this;
    if (id === null) return;
    const asked = (this.#asked += 1);
    let found;
    try {
      found = await ask(`rows/${id}`);
    } catch (error) {
      if (error instanceof Refused && error.status === 404 && id === this.id) this.#on.close();
      return;
    }
    if (asked !== this.#asked || id !== this.id) return;
    this.#found = found;
    this.#draw();
  }

  #draw() {
    const focused = this.#panel.contains(document.activeElement) ? document.activeElement : null;
    const key = focused?.dataset.key;
    const scrolled = this.#panel.querySelector(".sheet")?.scrollTop ?? 0;
    const sheet = el("div.sheet", { role: "tabpanel", id: "sheet", "aria-labelledby": `tab-${this.#tab}`, tabIndex: -1 });
    append(sheet, [TABS[this.#tab](this.#found, this.#context())]);
    this.#panel.replaceChildren(this.#heading(), this.#actions(), this.#tabs(), sheet);
    sheet.scrollTop = scrolled;
    if (key) this.#panel.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }

  #context() {
    return {
      reveal: (mark, chip, ask_) => this.#reveal(mark, chip, ask_),
      text: (text) => this.#withRevealed(text),
      allow: () => this.#on.allow(this.id),
      id: this.id,
      isBad: isBad(this.#found.row),
    };
  }

  #heading() {
    const { row, url } = this.#found;
    return el(
      "header.head",
      {},
      el("h2", { title: url }, el("span.method", {}, shown(row.method)), " ", shown(row.path)),
      el(
        "p.facts",
        {},
        row.status ? el("span.status", {}, String(row.status)) : el("span.running", {}, "running"),
        row.outcome && el(`span.chip.${row.outcome}`, {}, row.outcome),
        row.ms !== undefined && el("span", {}, duration(row.ms)),
        row.protocol && el("span", {}, row.protocol),
        row.origin && el("span", {}, "from ", breakable(row.origin)),
      ),
      button("×", () => this.#on.close(), { class: "close", "aria-label": "Close", "data-key": "close", title: "Close (esc)" }),
    );
  }

  #actions() {
    const { row } = this.#found;
    const more = menu("More", "more", [
      ["Copy as fetch", () => copyAs(this.id, "fetch")],
      ["Copy as corsproxy explain", () => copyAs(this.id, "explain")],
      ["Copy as test case", () => copyAs(this.id, "test")],
      ["Copy curl with secrets", () => copyAs(this.id, "curl", true)],
      ["Send differently…", () => replayAs(row, this.#on.replayed)],
    ]);
    more.open = this.#panel.querySelector("details.more")?.open ?? false;
    return el(
      "div.actions",
      {},
      button("Replay", () => replay(this.id, {}, this.#on.replayed), { class: "small quiet", "data-key": "replay", title: "Send it again (r)" }),
      button("Copy as curl", () => copyAs(this.id, "curl"), { class: "small quiet", "data-key": "curl", title: "Copy as curl (c)" }),
      button("Compare", () => this.#on.compare(this.id), { class: "small quiet", "data-key": "compare", title: "Compare with another call" }),
      more,
    );
  }

  #tabs() {
    const list = el("div.tabs", { role: "tablist", "aria-label": "About this call" });
    for (const name of Object.keys(TABS)) {
      const is = name === this.#tab;
      const tab = el(
        "button",
        { type: "button", role: "tab", id: `tab-${name}`, "data-key": `tab-${name}`, "aria-selected": String(is), "aria-controls": "sheet", tabIndex: is ? 0 : -1 },
        name,
        this.#badge(name),
      );
      tab.addEventListener("click", () => this.#select(name));
      list.append(tab);
    }
    list.addEventListener("keydown", (event) => this.#turn(event));
    return list;
  }

  #badge(name) {
    const count = name === "Messages" ? this.#found.messages.length : 0;
    return count ? el("span.badge", { "aria-hidden": "true" }, String(count)) : null;
  }

  #select(name) {
    this.#tab = name;
    this.#draw();
    this.#panel.querySelector(`#tab-${name}`).focus({ preventScroll: true });
  }

  #turn(event) {
    const names = Object.keys(TABS);
    const at = names.indexOf(this.#tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#select(names.at(to % names.length));
  }

  // Secrets are fetched when the user reveals them, and forgotten when the call is closed.

  async #reveal(mark, chip, ask_) {
    ask_.disabled = true;
    const { id } = this;
    try {
      const { value } = await ask(`rows/${id}/reveal`, { mark });
      if (id !== this.id) return;
      this.#revealed.set(mark, value);
      this.#draw();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      ask_.replaceWith(el("span.note", {}, "no longer kept"));
    }
  }

  #withRevealed(text) {
    const parts = [];
    let rest = String(text);
    for (const [mark, value] of this.#revealed) rest = rest.split(`[redacted:${mark}]`).join(`\u0001${value}\u0002`);
    for (const piece of rest.split(/(\u0001[^\u0002]*\u0002)/)) {
      if (piece.startsWith("\u0001")) parts.push(el("mark.revealed", {}, shown(piece.slice(1, -1))));
      else parts.push(...shown(piece, (...args) => this.#reveal(...args)));
    }
    return parts;
  }
}
