// The filter's language: free text, `key:value` with whole values, `4xx`, `*`, and `-` for "not".

const FREE = "text";

/** The part of a row that each key matches. */
const KEYS = {
  outcome: (row) => [row.outcome],
  origin: (row) => [row.origin, withoutScheme(row.origin)],
  method: (row) => [row.method],
  status: (row) => [row.status ? String(row.status) : undefined],
  route: (row) => [row.route],
  code: (row) => [row.code],
  path: (row) => [row.path, row.path.split("?", 1)[0]],
  host: (row) => [row.host],
  protocol: (row) => [row.protocol],
};

/** The states of a row that `is:` matches. */
const STATES = {
  stream: (row) => Boolean(row.stream),
  pending: (row) => row.state !== "over",
  preflight: (row) => row.preflight !== undefined,
  refused: (row) => row.allowed === false,
  allowed: (row) => row.allowed === true,
  replay: (row) => row.replay !== undefined,
  error: (row) => row.error !== undefined || row.status >= 500,
};

export const KEY_NAMES = [...Object.keys(KEYS), "is"];
export const STATE_NAMES = Object.keys(STATES);
export const OUTCOMES = ["readable", "blocked", "leaves", "opaque", "unknown"];

/** Return a function that tells whether the filter shows a row. */
export function compile(text) {
  const tests = terms(text).map(testOf);
  return (row) => {
    for (const test of tests) if (!test(row)) return false;
    return true;
  };
}

/** Split into terms: {key, value, not}, or {…, unknown} with what looks like a key. Quotes hold
 * spaces together. */
export function terms(text) {
  const found = [];
  for (const [, minus, key, quoted, bare] of text.matchAll(
    /(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi,
  )) {
    const value = quoted ?? bare;
    const name = key?.toLowerCase();
    if (name !== undefined && KEY_NAMES.includes(name)) {
      found.push({ key: name, value, not: minus !== "" });
    } else if (value !== undefined) {
      const whole = key === undefined ? value : `${key}:${value}`;
      const unknown = value.startsWith("/") ? undefined : name; // else a URL
      found.push({ key: FREE, value: whole, not: minus !== "", unknown });
    }
  }
  return found;
}

/** Say what is neither a key nor a value of one, and would otherwise just match nothing. */
export function mistakes(text) {
  return terms(text).flatMap(({ key, value, unknown }) => {
    if (unknown !== undefined) return unknownKey(unknown, value);
    const known = { is: STATE_NAMES, outcome: OUTCOMES }[key];
    if (known === undefined || value.includes("*")) return [];
    const isBegun = known.some((each) => each.startsWith(value.toLowerCase()));
    return isBegun ? [] : [`Nothing is ${key}:${value}. Known are ${listed(known)}.`];
  });
}

function unknownKey(name, term) {
  if (name === "localhost") return []; // and its port
  const near = nearest(name, KEY_NAMES);
  const hint = near === undefined ? "" : ` Did you mean ${near}:?`;
  return [`The filter has no key ${name}:, so ${term} is searched as text.${hint} The keys are ${listed(KEY_NAMES)}.`];
}

function listed(names) {
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The name that differs from `word` the least, if by no more than two letters. */
function nearest(word, names) {
  const distances = names.map((name) => distance(word, name));
  const least = Math.min(...distances);
  return least <= 2 ? names[distances.indexOf(least)] : undefined;
}

function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const change = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[other.length];
}

function testOf({ key, value, not }) {
  const test = key === FREE ? contains(value) : key === "is" ? is(value) : equals(key, value);
  return not ? (row) => !test(row) : test;
}

function contains(value) {
  const wanted = value.toLowerCase();
  return (row) => haystack(row).includes(wanted);
}

const haystacks = new WeakMap();

function haystack(row) {
  let found = haystacks.get(row);
  if (found === undefined) {
    const parts = [row.method, row.path, row.origin, row.status, row.outcome, row.route, row.code, row.host];
    found = parts.filter((part) => part !== undefined).join(" ").toLowerCase();
    haystacks.set(row, found);
  }
  return found;
}

function is(value) {
  return STATES[value.toLowerCase()] ?? (() => false);
}

function equals(key, value) {
  const values = KEYS[key];
  const pattern = patternOf(value);
  return (row) => values(row).some((each) => each !== undefined && pattern(each.toLowerCase()));
}

/** Match a whole value; `*` stands for anything and, in a status, `x` for any digit. */
function patternOf(value) {
  const wanted = value.toLowerCase();
  if (/^[1-5]xx$/.test(wanted)) return (text) => text.length === 3 && text[0] === wanted[0];
  if (!wanted.includes("*")) return (text) => text === wanted;
  const parts = wanted.split("*");
  return (text) => globs(parts, text);
}

/** Whether the text contains the parts in this order, the first and last at its ends. */
function globs(parts, text) {
  const first = parts[0];
  const last = parts[parts.length - 1];
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function withoutScheme(origin) {
  return origin?.replace(/^[a-z-]+:\/\//, "");
}
