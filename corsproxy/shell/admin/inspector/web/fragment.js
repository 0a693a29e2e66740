// The URL's fragment holds the filter and the view, so that a reload, a bookmark and a
// colleague's link show the same.

export function readFragment() {
  const found = new URLSearchParams(location.hash.slice(1));
  return { filter: found.get("filter") ?? "", view: found.get("view") ?? undefined };
}

export function writeFragment({ filter, view }) {
  const parts = [];
  if (view !== undefined) parts.push(`view=${encodeURIComponent(view)}`);
  if (filter) parts.push(`filter=${encodeURIComponent(filter)}`);
  const hash = parts.length ? `#${parts.join("&")}` : "";
  if (hash !== location.hash) {
    history.replaceState(null, "", hash || location.pathname);
  }
}
