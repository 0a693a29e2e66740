// The proxy's allowlist, with the lines that decided, and its edits.

import { el } from "./dom.js";

export class PolicyPanel {
  #list = document.getElementById("yaml");
  #reset = document.getElementById("reset");
  #marks = new Map();
  #policy = null;

  /** `onChange` is called after every edit, with the refusal's id or null for “undo”. */
  constructor(onChange) {
    this.#reset.addEventListener("click", async () => {
      await this.#send({ reset: true });
      onChange(null);
    });
    this.onChange = onChange;
  }

  /** Why the call of refusal `id` is refused, in words, and the edit that would allow it. */
  explain(id) {
    return this.#policy.refusals[id];
  }

  async load() {
    this.#show(await (await fetch("policy")).json());
  }

  async allow(id) {
    await this.#send({ allow: id });
    this.onChange(id);
  }

  /** Put the badge `label` on `line`, the place of refusal `id`; without a line, remove it. */
  mark(id, label, line) {
    if (line) this.#marks.set(id, { label, line });
    else this.#marks.delete(id);
    this.#draw();
  }

  /** Highlight the line of refusal `id`, and scroll to it if it is out of sight. */
  point(id, scroll = false) {
    for (const line of this.#list.children) line.classList.remove("pointed");
    const line = this.#list.children[(this.#marks.get(id)?.line ?? 0) - 1];
    line?.classList.add("pointed");
    if (scroll) line?.scrollIntoView({ block: "center" });
  }

  async #send(command) {
    const response = await fetch("policy", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(command),
    });
    this.#show(await response.json());
  }

  #show(policy) {
    this.#policy = policy;
    this.#reset.hidden = !policy.edited;
    document.getElementById("policy-name").textContent = policy.name;
    this.#draw();
  }

  #draw() {
    const { text, changed } = this.#policy;
    const lines = text.trimEnd().split("\n");
    this.#list.replaceChildren(
      ...lines.map((line, index) => this.#line(line, index + 1, changed.includes(index + 1))),
    );
  }

  #line(text, number, changed) {
    const marks = [...this.#marks.values()].filter(({ line }) => line === number);
    return el(
      `li${changed ? ".changed" : ""}${marks.length ? ".marked" : ""}`,
      {},
      el("code", {}, ...coloured(text)),
      ...marks.map(({ label }) => el("span.badge", { title: `Refusal ${label}` }, label)),
    );
  }
}

function coloured(text) {
  const [, code, comment] = /^((?:[^#"']|"[^"]*"|'[^']*'|\S#)*)(#.*)?$/.exec(text) ?? [null, text, ""];
  const key = /^(\s*(?:- )?)(\w+)(:)( .*|)$/.exec(code);
  const parts = key ? [key[1], el("span.key", {}, key[2]), key[3], key[4]] : [code];
  return comment ? [...parts, el("span.comment", {}, comment)] : parts.map((part) => part || "");
}

/** The smallest edit as a diff of whole lines. */
export function diff(lines) {
  return el(
    "pre.diff",
    { tabIndex: 0 },
    ...lines.map(({ sign, text }) =>
      el(`span.${sign === "+" ? "added" : "removed"}`, {}, `${sign} ${text.trim()}\n`),
    ),
  );
}
