// Puts the page together: the feed fills the store, the table shows it, keys and buttons act.

import { showAllowlist } from "./allowlist.js";
import { offerAllow } from "./allow.js";
import { copyAs, replay, saveHar } from "./actions.js";
import { Compare } from "./compare.js";
import { Details } from "./details.js";
import { button, el } from "./dom.js";
import { Feed, ask } from "./feed.js";
import { compile, mistakes } from "./filter.js";
import { readFragment, writeFragment } from "./fragment.js";
import { openHelp } from "./help.js";
import { LastChange } from "./last_change.js";
import { Store } from "./store.js";
import { Table, isMendable } from "./table.js";
import { times } from "./text.js";

const at = (id) => document.getElementById(id);
const store = new Store();
const input = at("filter");
const fragment = readFragment();
let passes = () => true;
let pending = null; // rows that arrived while the list is paused

const details = new Details(store, at("details"), {
  close: closeDetails,
  allow: (id) => allow(id),
  compare: (id) => compare.begin(id),
  replayed: (id) => wait(id),
});
const compare = new Compare(store);
const table = new Table(
  store,
  { body: at("rows"), list: at("list"), newer: at("newer") },
  { open, allow, reading: () => details.id !== null || pending !== null },
);

const lastChange = new LastChange(store, at("last-change"), () => details.refresh());

// Incoming rows.

store.listeners.add((news) => {
  if (pending !== null) {
    pending.push(news);
    count();
    return;
  }
  draw(news);
});

function draw(news) {
  if (news.isNew) table.rebuild();
  else table.update(news);
  details.update(news);
  count();
  lastChange.update();
}

function count() {
  const { all, shown, blocked } = store.counts(passes);
  const held = pending === null ? "" : " · paused";
  const whole = all === store.state.most ? `last ${all} calls` : times(all, "call", "calls");
  const of = shown === all ? whole : `${shown} of ${all}`;
  const text = `${of}${blocked ? ` · ${blocked} blocked` : ""}${held}`;
  if (at("count").textContent !== text) at("count").textContent = text;
  const empty = at("empty");
  empty.hidden = shown > 0;
  if (!empty.hidden) empty.replaceChildren(...nothing(all));
}

function nothing(all) {
  if (all > 0) {
    return [
      el("p", {}, "No calls match the filter."),
      button("Show all", () => setFilter(""), { class: "quiet" }),
    ];
  }
  return [
    el("p.big", {}, "Waiting for the first call"),
    el("p", {}, "Let your page call the proxy; each call appears here as it arrives."),
    el(
      "details",
      {},
      el("summary", {}, "Is a call missing?"),
      el(
        "ul",
        {},
        el("li", {}, "The page may call the API itself: look for the API's address in the browser's Network tab."),
        el("li", {}, "The browser may be asking for permission to reach this machine (Local Network Access), or it was denied."),
        el("li", {}, "The page may be on https and the proxy on plain http: mixed content."),
        el("li", {}, "The page's Content-Security-Policy may have a connect-src that leaves the proxy out."),
        el("li", {}, "A service worker may answer instead of the network."),
      ),
    ),
  ];
}

function link(state) {
  const banner = at("banner");
  banner.hidden = state === "live";
  if (state === "lost") banner.textContent = "The proxy does not answer. Trying again…";
  if (state === "refused") {
    banner.textContent =
      "The proxy has been restarted: open the address that it printed, which has the new token.";
  }
}

// The filter.

function setFilter(text) {
  input.value = text;
  applyFilter();
}

function applyFilter() {
  passes = compile(input.value);
  const found = mistakes(input.value);
  const words = at("filter-mistakes");
  words.hidden = found.length === 0;
  words.textContent = found.join(" ");
  input.setAttribute("aria-invalid", String(found.length > 0));
  fragment.filter = input.value;
  writeFragment(fragment);
  table.filter(passes);
  count();
}

input.addEventListener("input", applyFilter);
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape" || event.key === "Enter") {
    if (event.key === "Escape" && input.value) setFilter("");
    input.blur();
    event.preventDefault();
  }
});

// The details.

function open(id) {
  if (compare.take(id)) return;
  table.mark(id, { focus: true });
  details.open(id);
  document.body.classList.add("with-details");
  table.mark(id);
}

function closeDetails() {
  details.close();
  document.body.classList.remove("with-details");
  if (table.marked !== null) table.mark(table.marked, { focus: true });
}

/** Open the row with that id as soon as it has arrived. */
function wait(id) {
  if (store.get(id) !== undefined) {
    open(id);
    return;
  }
  const listener = () => {
    if (store.get(id) === undefined) return;
    store.listeners.delete(listener);
    open(id);
  };
  store.listeners.add(listener);
}

// Actions.

/** The marked row; without one, the newest that an edit can fix. */
function chosen(mendable = false) {
  if (table.marked !== null) return table.marked;
  if (!mendable) return table.ids[0] ?? null;
  return table.ids.find((id) => isMendable(store.get(id))) ?? null;
}

async function allow(id) {
  if (id === null || id === undefined) return;
  table.mark(id);
  await offerAllow(id, () => {
    details.refresh();
    // The button that opened the dialog may be gone.
    if (document.activeElement === document.body) table.mark(id, { focus: true });
  });
}

function pause() {
  if (pending === null) pending = [];
  else {
    pending = null;
    table.rebuild();
    draw({ changed: [], gone: [], isNew: true });
  }
  at("pause").setAttribute("aria-pressed", String(pending !== null));
  at("pause").textContent = pending === null ? "Pause" : "Resume";
  count();
}

async function clear() {
  closeDetails();
  await ask("clear", {});
}

at("pause").addEventListener("click", pause);
at("clear").addEventListener("click", clear);
at("har").addEventListener("click", () => {
  saveHar(store.newest(passes, Infinity).map((row) => row.id));
});
at("help").addEventListener("click", openHelp);

const KEYS = {
  j: () => follow(table.move(1)),
  k: () => follow(table.move(-1)),
  ArrowDown: () => follow(table.move(1)),
  ArrowUp: () => follow(table.move(-1)),
  Home: () => follow(table.move(-Infinity)),
  End: () => follow(table.move(Infinity)),
  Enter: () => table.marked !== null && open(table.marked),
  "/": () => {
    input.focus();
    input.select();
  },
  p: pause,
  r: () => chosen() !== null && replay(chosen(), {}, wait),
  c: () => chosen() !== null && copyAs(chosen(), "curl"),
  a: () => allow(chosen(true)),
  x: clear,
  "?": openHelp,
  Escape: () => (compare.cancel() ? null : closeDetails()),
};

function follow(id) {
  if (id !== null && details.id !== null) details.open(id);
}

const OWN_KEYS = "input, textarea, select, [role=tab], dialog, summary, button, a";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]") !== null) return;
  const inControl = event.target.closest(OWN_KEYS) !== null;
  const isTyping = event.target.closest("input, textarea, select") !== null;
  if (isTyping || (inControl && ["Enter", " ", "ArrowDown", "ArrowUp", "Home", "End"].includes(event.key))) return;
  const act = KEYS[event.key];
  if (act === undefined || !at("allowlist").hidden) {
    if (event.key !== "?") return;
  }
  event.preventDefault();
  KEYS[event.key]();
});

// The views.

function show() {
  const found = readFragment();
  const isAllowlist = found.view === "allowlist";
  fragment.view = found.view;
  at("live").hidden = isAllowlist;
  at("allowlist").hidden = !isAllowlist;
  for (const [id, is] of [["to-live", !isAllowlist], ["to-allowlist", isAllowlist]]) {
    if (is) at(id).setAttribute("aria-current", "page");
    else at(id).removeAttribute("aria-current");
  }
  document.body.classList.toggle("view-allowlist", isAllowlist);
  if (isAllowlist) showAllowlist(at("allowlist"), { open: openFromAllowlist, store });
  if (found.filter !== fragment.filter) setFilter(found.filter);
}

function openFromAllowlist(id) {
  go(undefined);
  open(id);
}

function go(view) {
  fragment.view = view;
  writeFragment(fragment);
  show();
}

at("to-live").addEventListener("click", (event) => {
  event.preventDefault();
  go(undefined);
});
at("to-allowlist").addEventListener("click", (event) => {
  event.preventDefault();
  go("allowlist");
});
window.addEventListener("hashchange", show);

setFilter(fragment.filter);
show();
count();
new Feed(store, link).start();
