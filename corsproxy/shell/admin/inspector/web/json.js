// Indents JSON without parsing it: numbers keep their digits and keys their order, and
// truncated or broken JSON stays as it is.

const STEP = "  ";

export function indented(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  let out = "";
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      out += token;
      if (next === closing(token)) return;
      depth += 1;
      out += line(depth);
    } else if (token === "}" || token === "]") {
      const before = tokens[index - 1];
      if (closing(before) !== token) {
        depth = Math.max(depth - 1, 0);
        out += line(depth);
      }
      out += token;
    } else if (token === ",") out += `,${line(depth)}`;
    else if (token === ":") out += ": ";
    else out += token;
  });
  return out;
}

function closing(token) {
  return { "{": "}", "[": "]" }[token];
}

function line(depth) {
  return `\n${STEP.repeat(Math.min(depth, 40))}`;
}
