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

let queue = Promise.resolve();

/** Calls go one after the other: the second one of two quick keys knows the version that the first one made. */
function inTurn(work) {
  const turn = queue.then(work);
  queue = turn.catch(() => undefined);
  return turn;
}

/**
 * One call to the batch's part of the API: `path` such as "groups/move/".
 *
 * Answers { ok, status, body }. A refusal is told on the page; when somebody else changed the batch meanwhile
 * their changes are told and shown, nothing was written, and a button does it again.
 */
export async function call(method, path, body) {
  const answer = await inTurn(() => send(method, path, body));
  if (answer.status === 412) {
    const again = () => repeat(method, path, body);
    const told = await look({ again });
    if (!told) note(sentence(412, answer.body), "Do it again", again);
  } else if (!answer.ok) {
    tellRefusal(answer);
  } else if (method !== "GET") {
    await tellListeners(answer.body?.change ? [answer.body.change] : [], true);
  }
  return answer;
}

async function repeat(method, path, body) {
  const answer = await call(method, path, body);
  const change = answer.ok ? answer.body?.change : null;
  if (change) toastWithUndo(`${capital(change.summary)}.`, change.sequence);
}

async function send(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken();
    headers["If-Match"] = `"${version}"`;
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body) };
  try {
    const answer = await fetch(base + path, options);
    const data = parsed(await answer.text());
    if (answer.ok && method !== "GET") takeVersion(answer);
    return { ok: answer.ok, status: answer.status, body: data };
  } catch {
    return { ok: false, status: 0, body: null };
  }
}

function tellRefusal({ status, body }) {
  const text = sentence(status, body);
  announce(text);
  toast(text);
}

/** See whether somebody else changed the batch, and tell it; `again` does what their change stood in the way of. */
export async function look({ again = null } = {}) {
  const body = await inTurn(changesSince);
  if (!body) return false;
  const [last] = body.results;
  if (last) {
    const others = body.results.length > 1 ? ` (and ${body.results.length - 1} more)` : "";
    const text = `Meanwhile ${last.actor || "Pix"} ${last.summary}${others}.`;
    if (again) note(`${text} What you wanted was not done.`, "Do it again", again);
    else note(`${text} The page shows it now.`);
  }
  await tellListeners(body.results, false);
  return true;
}

/** Show what a job of one's own has changed, and answer its steps, the newest first. */
export async function catchUp() {
  const body = await inTurn(changesSince);
  if (body) await tellListeners(body.results, true);
  return body?.results ?? [];
}

async function changesSince() {
  try {
    const headers = { Accept: "application/json" };
    const answer = await fetch(`${base}changes/?since=${version}`, { headers, credentials: "same-origin" });
    const body = answer.ok ? parsed(await answer.text()) : null;
    if (!body || body.version <= version) return null;
    version = body.version;
    return body;
  } catch {
    return null; // the next look may get through
  }
}

export const redo = () => stepped(call("POST", "redo/", {}));

/** Take back the last step, or the one of this number; what later changes stand against can be left as it is. */
export async function undo(sequence = null) {
  const path = sequence === null ? "undo/" : `changes/${sequence}/undo/`;
  return stepped(call("POST", path, {}));
}

async function stepped(calling) {
  const answer = await calling;
  if (answer.ok && answer.body?.change) note(`${capital(answer.body.change.summary)}.`);
  return answer;
}

/** A note, with a button where there is something to do about it. */
export function note(text, label = "", run = null) {
  announce(text);
  toast(text);
  if (!run) return;
  const place = document.getElementById("toast");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button small toast-button";
  button.textContent = label;
  button.addEventListener("click", () => {
    place.hidden = true;
    run();
  });
  place.append(" ", button);
}

/** A note with a way back: of the step of this number, or of the last one. */
export const toastWithUndo = (text, sequence = null) => note(text, "Undo", () => undo(sequence));

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

setInterval(() => { if (document.visibilityState === "visible") look(); }, LOOK_MS);
window.addEventListener("focus", () => look());

// The buttons in the head of the page: without a script they are forms.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-undo], [data-redo]")) return;
  event.preventDefault();
  if (form.matches("[data-undo]")) undo();
  else redo();
});
