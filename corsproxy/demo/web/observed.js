// Follows what the API saw and what the proxy decided: the part that no page can read.

const PATIENCE_MS = 2000;

export class Observed {
  #entries = [];
  #listeners = new Set();

  constructor(url) {
    const source = new EventSource(url);
    source.onmessage = ({ data }) => {
      const entry = JSON.parse(data);
      if (entry.seq <= this.last) return; // sent again after a reconnection
      this.#entries.push(entry);
      for (const listener of this.#listeners) listener(entry);
    };
  }

  get last() {
    return this.#entries.at(-1)?.seq ?? 0;
  }

  onEntry(listener) {
    this.#entries.forEach(listener);
    this.#listeners.add(listener);
  }

  since(seq) {
    return this.#entries.filter((entry) => entry.seq > seq);
  }

  /** The entries after `seq`, as soon as one of them satisfies `wanted`, or after a while. */
  until(seq, wanted) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolve(this.since(seq));
      };
      const look = () => this.since(seq).some(wanted) && done();
      const timer = setTimeout(done, PATIENCE_MS);
      this.#listeners.add(look);
      look();
    });
  }
}
