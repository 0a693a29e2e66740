// The tab "Why": each rule that was tested, what the browser says, and the edit that allows it.

import { trying } from "./actions.js";
import { diffOf } from "./allow.js";
import { button, el } from "./dom.js";
import { ask } from "./feed.js";
import { sentences, shown } from "./text.js";

export function whyTab({ why, row }, context) {
  const parts = [verdict(why, row), steps(why.steps)];
  const hints = why.hints && el("div.hint", {}, why.hints.map((line) => el("p", {}, shown(line))));
  if (why.lacks_credentials) parts.push(hints);
  if (why.now !== undefined) parts.push(now(why.now, row));
  if (context.isBad || why.lacks_credentials) parts.push(editOf(context, why));
  if (row.outcome === "opaque" && why.allowed) parts.push(el("p.hint", {}, OPAQUE));
  if (isError(why, row)) {
    parts.push(el("p.note", {}, "The page can read this response, so CORS is not the problem. The Body tab shows what the API says."));
  }
  if (why.outcome?.location && !hints) {
    parts.push(el("p.hint", {}, "The redirect leads out of the proxy, to ", el("code", {}, shown(why.outcome.location)), "."));
  }
  if (why.outcome?.hangs_on) parts.push(el("p.note", {}, "It depends on ", shown(why.outcome.hangs_on), "."));
  if (why.console !== undefined) {
    parts.push(el("h3", {}, "The browser's console says"), el("pre.console", {}, shown(why.console)));
  }
  if (why.browser_error !== undefined) {
    parts.push(el("p.note", {}, "Chromium calls it ", el("code", {}, why.browser_error), "."));
  }
  if (hints && !why.lacks_credentials) parts.push(hints);
  if (why.preflight !== undefined && !why.lacks_credentials) parts.push(el("p.note", {}, why.preflight));
  if (why.without_proxy !== undefined) parts.push(el("p.note", {}, shown(why.without_proxy)));
  for (const note of why.notes ?? []) parts.push(el("p.note", {}, shown(note)));
  return parts;
}

const OPAQUE =
  "The page made a no-cors call. If that was fetch, leave out mode: \"no-cors\"; for an image, a script or a style sheet it is normal.";

function verdict(why, row) {
  if (why.lacks_credentials) {
    return el("p.verdict.open", {}, el("strong", {}, "The preflight was granted, but no call has followed it"));
  }
  const [is, more] = result(why, row);
  return el(
    `p.verdict.${is}`,
    {},
    el("strong", {}, shown(why.title), more),
    why.code && el("code", {}, why.code),
    why.at && el("code.place", {}, shown(why.at)),
  );
}

/** How it looks, and what has come of a call that the allowlist allows. */
function result(why, row) {
  if (why.allowed === undefined) return ["open", ""];
  if (!why.allowed) return ["bad", ""];
  if (row.outcome === "blocked") return ["bad", ", but the browser keeps the response from the page"];
  if (row.outcome === "opaque") return ["odd", ", and the page cannot read the response"];
  if (row.outcome === "leaves") return ["odd", ", but the redirect leads out of the proxy"];
  if (isError(why, row)) return ["odd", `, and the upstream answered ${row.status}`];
  if (!row.status) return ["open", ", and the upstream has not answered yet"];
  return ["good", ""];
}

/** Whether the page can read an error of the API itself. */
function isError(why, row) {
  return why.allowed && row.outcome === "readable" && row.status >= 400;
}

function steps(list) {
  return el(
    "ol.steps",
    {},
    list.map((step) =>
      el(
        `li.${step.passed ? "good" : "bad"}`,
        {},
        el("span.sign", { role: "img", "aria-label": step.passed ? "passed" : "failed" }, step.passed ? "✓" : "✗"),
        el("span", {}, shown(step.text)),
        step.at && el("code.place", {}, shown(step.at)),
      ),
    ),
  );
}

function now(found, row) {
  const isBetter = found.allowed && row.allowed === false;
  const text = found.allowed ? "The current allowlist allows it." : `The current allowlist refuses it: ${found.code}.`;
  return el(`p.now${isBetter ? ".good" : ""}`, {}, text, isBetter ? " Repeat the call, or press Replay." : "");
}

/** The edit as a diff, fetched when the tab is opened, and its button. */
function editOf(context, why) {
  const host = el("div.mend", {});
  if (why.now?.allowed) return host;
  trying(() => ask(`rows/${context.id}/edit`, {})).then((edit) => {
    if (edit === undefined) return;
    if (!edit.possible) {
      host.append(el("div.note", {}, sentences(edit.reason)));
      return;
    }
    host.append(
      el("h3", {}, why.lacks_credentials ? "The edit that allows credentials" : "The edit that allows it"),
      diffOf(edit.diff),
      el(
        "p.buttons",
        {},
        button("Allow", context.allow, { "data-key": "allow", title: "Show what would be written, then write it (a)" }),
        edit.command && el("code.command", {}, shown(edit.command)),
      ),
    );
  });
  return host;
}
