// The jobs that this browser started, newest first: they stay at hand when the server's list has moved on.
import { fetchPart, parseParts } from "../base/html.js";
import { local } from "../base/storage.js";

const NAME = "pix.jobs";
const LIMIT = 30;

export function remembered() {
  const ids = local.getJson(NAME);
  return Array.isArray(ids) ? ids.filter((id) => typeof id === "string").slice(0, LIMIT) : [];
}

const store = (ids) => local.setJson(NAME, ids.slice(0, LIMIT));

export function remember(id) {
  store([id, ...remembered().filter((other) => other !== id)]);
}

/** Add the remembered jobs that the list lacks, and forget those that the server no longer has. */
export async function mergeInto(list) {
  const known = new Set(Array.from(list.children, (item) => item.dataset.job));
  const missing = remembered().filter((id) => !known.has(id));
  if (!missing.length) return;
  const html = await fetchPart(`${list.dataset.cardsUrl}?ids=${missing.join(",")}`);
  if (html === null) return;
  const found = Array.from(parseParts(html).children);
  const foundIds = new Set(found.map((item) => item.dataset.job));
  store(remembered().filter((id) => known.has(id) || foundIds.has(id)));
  for (const item of found) {
    list.append(item);
    window.htmx.process(item);
  }
}
