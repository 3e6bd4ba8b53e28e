// The jobs that this browser started, newest first: they stay at hand when the server's list has moved on.

const NAME = "pix.jobs";
const LIMIT = 30;

export function remembered() {
  try {
    const ids = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string").slice(0, LIMIT) : [];
  } catch {
    return [];
  }
}

function store(ids) {
  try {
    localStorage.setItem(NAME, JSON.stringify(ids.slice(0, LIMIT)));
  } catch {
    // Without storage the server's list is all there is.
  }
}

export function remember(id) {
  store([id, ...remembered().filter((other) => other !== id)]);
}

/** Add the remembered jobs that the list lacks, and forget those that the server no longer has. */
export async function mergeInto(list) {
  const known = new Set(Array.from(list.children, (item) => item.dataset.job));
  const missing = remembered().filter((id) => !known.has(id));
  if (!missing.length) return;
  const response = await fetch(`${list.dataset.cardsUrl}?ids=${missing.join(",")}`, { credentials: "same-origin" });
  if (!response.ok || response.redirected) return;
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  const found = Array.from(template.content.children);
  const foundIds = new Set(found.map((item) => item.dataset.job));
  store(remembered().filter((id) => known.has(id) || foundIds.has(id)));
  for (const item of found) {
    list.append(item);
    window.htmx.process(item);
  }
}
