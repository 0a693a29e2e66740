// The page that the allowlist does not name. Alone it calls at once; in the demo's frame it
// calls when the demo asks, and reports the outcome.

import { make } from "./browser.js";
import { code, REFUSALS } from "./calls.js";

const setup = await (await fetch("setup.json")).json();
const call = REFUSALS.find(({ elsewhere }) => elsewhere);
const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

async function run() {
  const outcome = await make(setup.proxy, call);
  show(
    "outcome",
    outcome.read
      ? `✓ ${outcome.status} ${outcome.reason}: this page could read the answer.`
      : `✕ ${outcome.error}: this page could read nothing.`,
  );
  return outcome;
}

show("origin", location.origin);
show("code", code(`"${setup.proxy}"`, call));

if (parent === window) {
  await run();
} else {
  addEventListener("message", async ({ origin, data }) => {
    if (origin === setup.page && data === "call") parent.postMessage(await run(), setup.page);
  });
  parent.postMessage("ready", setup.page);
}
