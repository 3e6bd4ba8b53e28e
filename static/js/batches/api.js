// Changes of one batch by script: every call says which version of the batch the page shows.
import { csrfToken, getJson, isSignedOut, parsed, sentence } from "../base/http.js";
import { make } from "../base/html.js";
import { announce, toast } from "../base/notices.js";
import { signedInAgain } from "../base/sign_in.js";
import { session } from "../base/storage.js";
import { capitalized } from "../base/text.js";

const LOOK_MS = 6000;
const NEXT_NOTICE = "pix.notice";

const root = document.querySelector("[data-batch]");
export const base = `/api/batches/${root.dataset.batch}/`;
let version = Number(root.dataset.version);
const listeners = [];

/** `listener(changes, isMine)` is called after every change and shows the new state. */
export const onChanged = (listener) => listeners.push(listener);

function takeVersion(answer) {
  const tag = /"(\d+)"/.exec(answer.headers.get("ETag") ?? "");
  if (tag) version = Number(tag[1]);
}

async function notifyListeners(changes, isMine) {
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
 * Answers { ok, status, body }. A refusal is shown on the page. When somebody else changed the batch first, nothing
 * is written: their changes are shown, with a button that tries again.
 */
export async function call(method, path, body) {
  let answer = await inTurn(() => send(method, path, body));
  if (isSignedOut(answer.status, answer.body) && await signedInAgain()) {
    answer = await inTurn(() => send(method, path, body));
  }
  if (answer.status === 412) {
    const again = () => repeat(method, path, body);
    const isShown = await look({ again });
    if (!isShown) showNotice(sentence(412, answer.body), { label: "Try again", run: again });
  } else if (!answer.ok) {
    showRefusal(answer);
  } else if (method !== "GET") {
    await notifyListeners(answer.body?.change ? [answer.body.change] : [], true);
  }
  return answer;
}

async function repeat(method, path, body) {
  const answer = await call(method, path, body);
  if (answer.ok) showChange(answer.body?.change);
}

async function send(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken();
    headers["If-Match"] = `"${version}"`;
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { method, headers, credentials: "same-origin", body: JSON.stringify(body) }; // undefined stays so
  try {
    const answer = await fetch(base + path, options);
    const data = parsed(await answer.text());
    if (answer.ok && method !== "GET") takeVersion(answer);
    return { ok: answer.ok, status: answer.status, body: data };
  } catch {
    return { ok: false, status: 0, body: null };
  }
}

function showRefusal({ status, body }) {
  const text = sentence(status, body);
  announce(text);
  toast(text);
}

/** Show what somebody else has changed; `again` repeats what their change prevented. */
export async function look({ again = null } = {}) {
  const body = await inTurn(changesSince);
  if (!body) return false;
  const [last] = body.results;
  if (last) {
    const others = body.results.length > 1 ? ` (and ${body.results.length - 1} more)` : "";
    const what = `${last.summary}${others}.`;
    const who = last.actor || "Pix";
    if (again) {
      const text = `${who} changed this batch first: ${what} Your change was not saved.`;
      showNotice(text, { label: "Try again", run: again });
    } else showNotice(`${who} ${what} The page is up to date.`);
  }
  await notifyListeners(body.results, false);
  return true;
}

/** Show what a job of one's own has changed, and answer its steps, the newest first. */
export async function catchUp() {
  const body = await inTurn(changesSince);
  if (body) await notifyListeners(body.results, true);
  return body?.results ?? [];
}

async function changesSince() {
  const body = await getJson(`${base}changes/?since=${version}`);
  if (!body || body.version <= version) return null; // after an error the next look may get through
  version = body.version;
  return body;
}

export const redo = () => stepped(call("POST", "redo/", {}));

/** Take back the last step, or the one with this number. */
export function undo(sequence = null) {
  const path = sequence === null ? "undo/" : `changes/${sequence}/undo/`;
  return stepped(call("POST", path, {}));
}

async function stepped(calling) {
  const answer = await calling;
  if (answer.ok && answer.body?.change) showNotice(`${capitalized(answer.body.change.summary)}.`);
  return answer;
}

/** A note, with a button where there is something to do about it. */
export function showNotice(text, { label = "", run = null } = {}) {
  announce(text);
  toast(text);
  if (!run) return;
  const place = document.getElementById("toast");
  const button = make("button", { type: "button", className: "button small toast-button", textContent: label });
  button.addEventListener("click", () => {
    place.hidden = true;
    run();
  });
  place.append(" ", button);
}

/** A note of a change, with its undo. */
export function showChange(change) {
  if (!change) return;
  const run = () => undo(change.sequence);
  showNotice(`${capitalized(change.summary)}.`, { label: "Undo", run });
}

/** Show a change on the page that comes next, as this one is left. */
export const showChangeLater = ({ summary, sequence }) => session.setJson(NEXT_NOTICE, { summary, sequence });

export function showPendingChange() {
  showChange(session.getJson(NEXT_NOTICE));
  session.setJson(NEXT_NOTICE, null);
}

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
