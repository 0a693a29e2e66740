// The rows as this tab knows them: a mirror of the proxy's ring, newest last.

/** Rows by id, in the order of their ids; tells listeners what has changed. */
export class Store {
  constructor() {
    this.rows = new Map();
    this.epoch = "";
    this.change = 0;
    this.cleared = 0;
    this.state = {};
    this.listeners = new Set();
  }

  /** Apply an update; returns whether an earlier one was missed, so that a full one is
   * needed. `base` is the number of the change that the update starts from. */
  take(found, base = 0) {
    const isNew = found.epoch !== this.epoch;
    if (!isNew && base > this.change) return true;
    if (isNew) {
      if (base > 0) return true;
      this.rows.clear();
      this.epoch = found.epoch;
      this.change = this.cleared = 0;
    }
    const changed = found.rows.filter((row) => this.#put(row));
    const gone = this.#forget(Math.max(found.oldest, found.cleared + 1));
    this.cleared = found.cleared;
    this.change = Math.max(this.change, found.change);
    this.state = found.state;
    for (const listener of this.listeners) listener({ changed, gone, isNew });
    return false;
  }

  #put(row) {
    const known = this.rows.get(row.id);
    if (known !== undefined && known.change >= row.change) return false;
    this.rows.set(row.id, row);
    return true;
  }

  #forget(oldest) {
    const gone = [];
    for (const id of this.rows.keys()) {
      if (id < oldest) gone.push(id);
    }
    for (const id of gone) this.rows.delete(id);
    return gone;
  }

  get(id) {
    return this.rows.get(id);
  }

  /** The newest rows that pass, newest first, at most `most` of them. */
  newest(passes, most) {
    const found = [];
    const all = [...this.rows.values()].sort((one, other) => one.id - other.id);
    for (let index = all.length - 1; index >= 0 && found.length < most; index -= 1) {
      if (passes(all[index])) found.push(all[index]);
    }
    return found;
  }

  /** How many rows there are, how many pass, how many of those the browser blocked. */
  counts(passes) {
    let shown = 0;
    let blocked = 0;
    for (const row of this.rows.values()) {
      if (!passes(row)) continue;
      shown += 1;
      if (row.outcome === "blocked") blocked += 1;
    }
    return { all: this.rows.size, shown, blocked };
  }
}
