// One event stream per browser: a browser opens six connections to a host, and tabs share them.
//
// The tab that holds the lock reads the stream and passes its events on to the others. When
// it is closed, the next tab gets the lock and resumes where the stream stopped.

const CHANNEL = "corsproxy-inspector";
const RETRY_MS = 2000;

/** Send a GET, or a POST of JSON if `body` is given. Throws Refused. */
export async function ask(path, body) {
  const options =
    body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        };
  const response = await fetch(`/inspector/${path}`, options);
  if (!response.ok) throw new Refused(response.status, (await response.text()).trim());
  return response.json();
}

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Keeps a store in step with the proxy. */
export class Feed {
  #store;
  #link;
  #channel = new BroadcastChannel(CHANNEL);

  /** `link(state)` gets "live", "lost" or "refused". */
  constructor(store, link) {
    this.#store = store;
    this.#link = link;
  }

  async start() {
    this.#channel.addEventListener("message", ({ data }) => this.#heard(data));
    await this.#refetch();
    if (navigator.locks === undefined) {
      this.#lead();
      return;
    }
    navigator.locks.request(CHANNEL, () => this.#lead());
  }

  #heard({ link, found, base }) {
    if (link !== undefined) this.#link(link);
    if (found !== undefined && this.#store.take(found, base)) this.#refetch();
  }

  async #refetch() {
    try {
      this.#store.take(await ask("rows"));
      this.#link("live");
    } catch (error) {
      this.#link(error instanceof Refused ? "refused" : "lost");
    }
  }

  /** Read the stream for as long as this tab lives. */
  async #lead() {
    for (;;) {
      await this.#read();
      await new Promise((resume) => setTimeout(resume, RETRY_MS));
      await this.#refetch();
    }
  }

  /** Read until the browser gives up on the stream. */
  #read() {
    const { epoch, change } = this.#store;
    const source = new EventSource(`/inspector/events?since=${epoch}-${change}`);
    const tell = (message) => {
      this.#heard(message);
      this.#channel.postMessage(message);
    };
    return new Promise((ended) => {
      source.addEventListener("open", () => tell({ link: "live" }));
      source.addEventListener("message", ({ data }) => {
        const found = JSON.parse(data);
        const isSame = found.epoch === this.#store.epoch;
        tell({ found, base: isSame ? this.#store.change : 0 });
      });
      source.addEventListener("error", () => {
        const isOver = source.readyState === EventSource.CLOSED;
        tell({ link: isOver ? "refused" : "lost" });
        if (isOver) ended();
      });
    });
  }
}
