// Makes one call and reports what a script can know about its outcome.

const PATIENCE_MS = 5000;

/**
 * Resolves, never rejects: {read: true, status, reason, headers, body} where the page could
 * read the answer, {read: false, error} where the browser kept it.
 */
export async function make(base, call) {
  return call.stream ? listen(base + call.path) : ask(base + call.path, call.init);
}

async function ask(url, init) {
  try {
    const response = await fetch(url, { ...init, cache: "no-store" });
    const body = await response.text();
    return {
      read: true,
      status: response.status,
      reason: response.statusText,
      headers: [...response.headers],
      body: pretty(body),
    };
  } catch (error) {
    return { read: false, error: `${error.name}: ${error.message}` };
  }
}

function listen(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url);
    const events = [];
    const started = performance.now();
    const finish = (outcome) => {
      source.close();
      clearTimeout(timer);
      resolve(outcome);
    };
    const timer = setTimeout(() => finish(received()), PATIENCE_MS);
    const received = () =>
      events.length
        ? { read: true, status: 200, reason: "", headers: [], body: events.join("\n") }
        : { read: false, error: "EventSource: error" };
    source.onmessage = ({ data }) => {
      events.push(`+${Math.round(performance.now() - started)} ms  ${data}`);
    };
    source.onerror = () => finish(received());
  });
}

function pretty(text) {
  try {
    const value = JSON.parse(text);
    if (Array.isArray(value)) {
      return `[\n${value.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n]`;
    }
    return JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}
