// The live table: at most 500 rows in the document, newest first. It does not move while it is read.

import { button, el } from "./dom.js";
import { bytes, clock, duration, plain, shown } from "./text.js";

export const WINDOW = 500;

/** The table of calls. */
export class Table {
  #store;
  #body;
  #list;
  #newer;
  #passes = () => true;
  #elements = new Map();
  #unseen = 0;
  #under = null; // the row where the button of the pointer went down
  marked = null;

  /** `on` has {open(id), allow(id), mark(id)}. */
  constructor(store, { body, list, newer }, on) {
    this.#store = store;
    this.#body = body;
    this.#list = list;
    this.#newer = newer;
    this.on = on;
    body.addEventListener("mousedown", (event) => this.#pressed(event));
    body.addEventListener("mouseup", (event) => this.#released(event));
    body.addEventListener("click", (event) => this.#clicked(event));
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    newer.addEventListener("click", () => this.top());
  }

  /** Rebuild the table from the rows that pass the filter. */
  filter(passes) {
    this.#passes = passes;
    this.rebuild();
    this.top();
  }

  rebuild() {
    const rows = this.#store.newest(this.#passes, WINDOW);
    this.#elements = new Map(rows.map((row) => [row.id, this.#drawn(row)]));
    this.#body.replaceChildren(...this.#elements.values());
    this.#mark();
  }

  /** Redraw only what has changed. */
  update({ changed, gone }) {
    for (const id of gone) this.#drop(id);
    const before = this.#list.scrollTop;
    const added = [];
    for (const row of changed) {
      const passes = this.#passes(row);
      if (this.#elements.has(row.id)) {
        if (passes) this.#redraw(row);
        else this.#drop(row.id);
      } else if (passes) added.push(row);
    }
    const grown = this.#add(added);
    while (this.#elements.size > WINDOW) this.#drop(this.#oldest());
    if (grown && (before > 0 || this.on.reading())) {
      this.#list.scrollTop = before + grown;
      this.#unseen += added.length;
    }
    this.#tellUnseen();
    this.#mark();
  }

  /** Put new rows on top; returns by how much the table grew. */
  #add(rows) {
    if (!rows.length) return 0;
    const height = this.#body.offsetHeight;
    const newest = Math.max(0, ...this.#elements.keys());
    rows.sort((one, other) => one.id - other.id);
    if (rows[0].id < newest) this.rebuild(); // an older row now passes the filter
    else {
      const drawn = rows.slice(-WINDOW).map((row) => [row.id, this.#drawn(row)]);
      for (const [id, element] of drawn) this.#elements.set(id, element);
      this.#body.prepend(...drawn.map(([, element]) => element).reverse());
    }
    return this.#body.offsetHeight - height;
  }

  #drop(id) {
    this.#elements.get(id)?.remove();
    this.#elements.delete(id);
    if (this.marked === id) this.marked = null;
  }

  #oldest() {
    return Math.min(...this.#elements.keys());
  }

  // Drawing.

  #drawn(row) {
    const element = el("tr", { "data-exchange": row.id, tabIndex: -1 });
    fill(element, row, this.on);
    return element;
  }

  #redraw(row) {
    const element = this.#elements.get(row.id);
    const focused = element.contains(document.activeElement);
    fill(element, row, this.on);
    if (focused && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
  }

  // The marked row.

  /** The ids in the order in which they are shown. */
  get ids() {
    return [...this.#elements.keys()].sort((one, other) => other - one);
  }

  /** Mark the row that is `by` further down, or the first. */
  move(by) {
    const ids = this.ids;
    if (!ids.length) return null;
    const at = ids.indexOf(this.marked);
    const from = at < 0 && Number.isFinite(by) ? -by : at;
    const next = Math.min(Math.max(from + by, 0), ids.length - 1);
    this.mark(ids[next], { focus: true });
    return ids[next];
  }

  mark(id, { focus = false } = {}) {
    this.marked = id;
    this.#mark();
    const element = this.#elements.get(id);
    if (element === undefined) return;
    if (focus) element.focus({ preventScroll: true });
    this.#intoView(element);
  }

  #mark() {
    for (const [id, element] of this.#elements) {
      const is = id === this.marked;
      if (element.getAttribute("aria-selected") !== String(is)) {
        element.setAttribute("aria-selected", String(is));
      }
    }
    const first = this.#elements.get(this.marked) ?? this.#body.firstElementChild;
    for (const element of this.#body.querySelectorAll('[tabindex="0"]')) element.tabIndex = -1;
    if (first !== null && first !== undefined) first.tabIndex = 0;
  }

  #intoView(element) {
    const head = this.#list.querySelector("thead").offsetHeight;
    const top = element.offsetTop - head;
    const bottom = element.offsetTop + element.offsetHeight;
    if (top < this.#list.scrollTop) this.#list.scrollTop = top;
    else if (bottom > this.#list.scrollTop + this.#list.clientHeight) {
      this.#list.scrollTop = bottom - this.#list.clientHeight;
    }
  }

  top() {
    this.#list.scrollTop = 0;
    this.#unseen = 0;
    this.#tellUnseen();
  }

  #scrolled() {
    if (this.#list.scrollTop < 4 && this.#unseen) {
      this.#unseen = 0;
      this.#tellUnseen();
    }
  }

  #tellUnseen() {
    this.#newer.hidden = this.#unseen === 0;
    if (this.#unseen) this.#newer.textContent = `↑ ${this.#unseen} newer`;
  }

  // A browser gives no click if what was pressed is drawn anew before it is released, and a row
  // changes while its call goes on.

  #pressed(event) {
    this.#under = event.button === 0 ? rowUnder(event) : null;
  }

  #released(event) {
    const id = rowUnder(event);
    if (id === null || id !== this.#under || event.button !== 0) return;
    if (String(document.getSelection()).length) return; // the user is copying a path
    this.on.open(id);
  }

  /** Programs that read the screen click without a pointer. */
  #clicked(event) {
    const id = rowUnder(event);
    if (id !== null && event.detail === 0) this.on.open(id);
  }
}

/** The id of the row under the pointer; null where something else would be clicked. */
function rowUnder(event) {
  const element = event.target.closest("tr[data-exchange]");
  if (element === null || event.target.closest("button") !== null) return null;
  return Number(element.dataset.exchange);
}

/** Draw a row's cells. */
function fill(element, row, on) {
  element.className = classOf(row);
  const cells = [
    el("td.at", {}, clock(row.at)),
    el("td.method", {}, row.method ? shown(row.method) : el("span.none", {}, "–"), preflightSign(row)),
    el("td.path", { title: plain(row.path) }, el("span.clip", {}, shown(row.path))),
    el("td.origin", { title: plain(row.origin ?? "") }, el("span.clip", {}, origin(row))),
    el("td.status", {}, row.status ? String(row.status) : "…"),
    el("td.outcome", {}, el("div.outcome", {}, outcome(row), allowButton(row, on))),
    el("td.route", {}, el("span.clip", {}, shown(row.route ?? "–"))),
    el("td.time", {}, row.ms === undefined ? el("span.running", {}, "running") : duration(row.ms)),
    el("td.size", {}, row.size ? bytes(row.size) : "–"),
  ];
  // A button that is being pressed stays where it is, unless it is another one now.
  cells.forEach((cell, at) => {
    const old = element.children[at];
    if (old === undefined) element.append(cell);
    else if (!old.isEqualNode(cell)) old.replaceWith(cell);
  });
}

function classOf(row) {
  if (isBad(row)) return "bad";
  if (row.state !== "over") return "open";
  return row.status >= 500 || row.error !== undefined ? "failed" : row.status >= 400 ? "odd" : "";
}

/** Whether the proxy or the browser kept the page from what it asked for. */
export function isBad(row) {
  return row.outcome === "blocked" || row.allowed === false;
}

function origin(row) {
  if (row.origin === undefined) return el("span.none", {}, "–");
  const [scheme, rest] = row.origin.split("://", 2);
  if (rest === undefined) return shown(row.origin);
  return [el("span.dim", {}, `${plain(scheme)}://`), shown(rest)];
}

function preflightSign(row) {
  if (row.preflight === undefined) return null;
  const words = row.preflight === "alone" ? "preflight without a call" : "after a preflight";
  return el("span.preflight", { title: words, role: "img", "aria-label": words }, row.preflight === "alone" ? "⤳" : "⇉");
}

function outcome(row) {
  const parts = [];
  if (row.outcome !== undefined) parts.push(el(`span.chip.${chipOf(row.outcome)}`, {}, row.outcome));
  else if (row.state !== "over") parts.push(el("span.chip.waiting", {}, "waiting"));
  else if (row.allowed === false) parts.push(el("span.chip.blocked", {}, "refused"));
  else if (row.preflight === "alone") parts.push(el("span.chip.unknown", { title: NO_CALL }, "no call"));
  const code = row.error ?? (row.allowed === false ? row.code : row.status >= 500 ? row.code : undefined);
  if (code !== undefined && !code.startsWith("origin-allowed")) parts.push(el("span.code", {}, code));
  if (row.mended) parts.push(el("span.tag.good", { title: "The current allowlist allows it: repeat the call" }, "allowed now"));
  if (row.replay !== undefined) parts.push(el("span.tag", {}, "replay"));
  if (row.stream) parts.push(el("span.tag", {}, row.status === 101 ? "websocket" : "events"));
  return parts.length ? parts : el("span.none", {}, "–");
}

const NO_CALL = "The preflight was granted, and the browser has not sent the call. Open the row for the reasons.";

function chipOf(word) {
  return ["readable", "blocked", "leaves", "opaque", "unknown"].includes(word) ? word : "unknown";
}

/** Whether an edit of the allowlist may fix it. */
export function isMendable(row) {
  const isKept = row.outcome === "blocked" && row.allowed !== false;
  return isBad(row) && !row.mended && (row.mendable || isKept);
}

function allowButton(row, on) {
  if (!isMendable(row)) return null;
  return button("Allow", () => on.allow(row.id), { class: "small allow", title: "Show the edit that would allow it (a)" });
}
