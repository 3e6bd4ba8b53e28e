// Changes of one batch by script: every call says which version of the batch the page shows.
import { csrfToken, parsed, sentence } from "./http.js";
import { announce, toast } from "./page.js";

const LOOK_MS = 6000;

const root = document.querySelector("[data-batch]");
export const base = `/api/batches/${root.dataset.batch}/`;
let version = Number(root.dataset.version);
const listeners = [];

export const shownVersion = () => version;

/** Be told of changes: `listener(changes, isMine)`; the page then shows the new state. */
export const onChanged = (listener) => listeners.push(listener);

function takeVersion(answer) {
  const tag = /"(\d+)"/.exec(answer.headers.get("ETag") ?? "");
  if (tag) version = Number(tag[1]);
}

async function tellListeners(changes, isMine) {
  refreshSteps();
  await Promise.all(listeners.map((listener) => listener(changes, isMine)));
}

function refreshSteps() {
  const steps = document.getElementById("batch-steps");
  if (!steps?.dataset.url) return;
  const next = encodeURIComponent(location.pathname + location.search);
  window.htmx.ajax("GET", `${steps.dataset.url}?next=${next}`, { target: steps, swap: "outerHTML" });
}

/**
 * One call to the batch's part of the API: `path` such as "groups/move/".
 *
 * Answers { ok, status, body }. A refusal is told on the page; when somebody else changed the batch meanwhile
 * their changes are told and shown, and nothing was written.
 */
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken();
    headers["If-Match"] = `"${version}"`;
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(base + path, options);
  } catch {
    return refused(0, null);
  }
  const data = parsed(await answer.text());
  if (answer.status === 412) {
    await look();
    return { ok: false, status: 412, body: data };
  }
  if (!answer.ok) return refused(answer.status, data);
  if (method !== "GET") {
    takeVersion(answer);
    await tellListeners(data?.change ? [data.change] : [], true);
  }
  return { ok: true, status: answer.status, body: data };
}

function refused(status, body) {
  const text = sentence(status, body);
  announce(text);
  toast(text);
  return { ok: false, status, body };
}

/** See whether somebody else changed the batch, and tell it. */
export async function look() {
  let answer;
  try {
    answer = await fetch(`${base}changes/?since=${version}`, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  } catch {
    return; // the next look may get through
  }
  const body = answer.ok ? parsed(await answer.text()) : null;
  if (!body || body.version <= version) return;
  version = body.version;
  const [last] = body.results;
  if (last) {
    const others = body.results.length > 1 ? ` (and ${body.results.length - 1} more)` : "";
    const text = `Meanwhile ${last.actor ?? "Pix"} ${last.summary}${others}. The page shows it now.`;
    announce(text);
    toast(text);
  }
  await tellListeners(body.results, false);
}

export const undo = () => call("POST", "undo/", {});
export const redo = () => call("POST", "redo/", {});

/** A note with a way back. */
export function toastWithUndo(text) {
  announce(text);
  toast(text);
  const note = document.getElementById("toast");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "toast-undo";
  button.textContent = "Undo";
  button.addEventListener("click", async () => {
    note.hidden = true;
    const { ok, body } = await undo();
    if (ok) toast(`${capital(body.change.summary)}.`);
  });
  note.append(" ", button);
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

setInterval(() => { if (document.visibilityState === "visible") look(); }, LOOK_MS);
window.addEventListener("focus", look);
