// The calls that the allowlist refuses: the reason, the rule's place, the edit that allows it.

import { el } from "./dom.js";
import { make } from "./browser.js";
import { code } from "./calls.js";
import { body, mark, waiting } from "./outcome.js";
import { diff } from "./policy.js";

export class Refusal {
  constructor(call, label, setup, observed, panel) {
    Object.assign(this, { call, label, setup, observed, panel });
    this.summary = el("p.verdict", {}, waiting());
    this.story = el("div.story");
    const point = () => panel.point(call.id);
    this.element = el(
      "article.refusal",
      { onmouseenter: point, onfocusin: point },
      el("h3", {}, el("span.badge", { "aria-hidden": "true" }, label), call.title),
      el("pre.code", { tabIndex: 0 }, el("code", {}, code(`"${setup.proxy}"`, call))),
      call.elsewhere ? this.#frame() : null,
      this.summary,
      this.story,
    );
  }

  /** Make the call and show the outcome. Returns whether the page could read the response. */
  async run() {
    this.summary.replaceChildren(waiting());
    const start = this.observed.last;
    const { call, setup } = this;
    const outcome = await (call.elsewhere ? this.#ask() : make(setup.proxy, call));
    const origin = call.elsewhere ? setup.elsewhere : setup.page;
    const mine = (entry) =>
      entry.where === "proxy" && entry.origin === origin && entry.path === call.path;
    const final = (entry) => mine(entry) && (entry.kind !== "preflight" || !entry.allowed);
    const seen = await this.observed.until(start, final);
    const reached = seen.filter(({ where }) => where === "api").length;
    this.#show(outcome, seen.filter(mine).at(-1), reached);
    return outcome.read;
  }

  #show(outcome, verdict, reached) {
    const { call, panel } = this;
    this.element.classList.toggle("allowed", outcome.read);
    panel.mark(call.id, this.label, outcome.read ? null : verdict?.line);
    if (outcome.read) {
      this.summary.replaceChildren(mark(true, `${outcome.status}`, "allowed by your edit"));
      this.story.replaceChildren(body(outcome.body));
      return;
    }
    const why = panel.explain(call.id);
    this.summary.replaceChildren(mark(false, verdict?.code ?? "blocked"), this.#place(verdict));
    this.story.replaceChildren(
      el("ul.checks", {}, ...why.steps.map(check)),
      el("p.console", {}, why.console),
      el(
        "p.small",
        {},
        `The page saw only “${outcome.error}”. The API ` +
          (reached ? `was asked ${reached} times.` : "was not asked."),
      ),
      diff(why.diff),
      el(
        "p.actions",
        {},
        el("button", { type: "button", onclick: () => panel.allow(call.id) }, "Allow it and call again"),
        el("code", {}, why.command),
      ),
    );
  }

  #place(verdict) {
    if (!verdict?.at) return "";
    const show = () => this.panel.point(this.call.id, true);
    return el("button.place", { type: "button", onclick: show }, verdict.at);
  }

  #frame() {
    const url = `${this.setup.elsewhere}/elsewhere.html`;
    this.frame = el("iframe", { title: this.call.title, src: url });
    const link = el("a", { href: url, target: "_blank", rel: "noreferrer" }, "Open it by itself");
    return el("div.frame", {}, this.frame, el("p.small", {}, link));
  }

  /** The frame makes the call on its own origin and reports the outcome. */
  #ask() {
    return new Promise((resolve) => {
      const listen = ({ origin, source, data }) => {
        if (origin !== this.setup.elsewhere || source !== this.frame.contentWindow) return;
        if (data === "ready") this.#call();
        else {
          removeEventListener("message", listen);
          resolve(data);
        }
      };
      addEventListener("message", listen);
      this.#call();
    });
  }

  #call() {
    // Before the frame has loaded it is on no origin at all; it then says "ready".
    this.frame.contentWindow.postMessage("call", "*");
  }
}

function check({ passed, text, at }) {
  return el(
    `li.${passed ? "good" : "bad"}`,
    {},
    el("span.sign", { "aria-hidden": "true" }, passed ? "✓" : "✕"),
    el("span", {}, text),
    el("small", {}, at ?? ""),
  );
}
