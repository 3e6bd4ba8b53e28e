// Requests to the API with the session and its CSRF token.
import { signedInAgain } from "./sign_in.js";

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]').content;

export const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A random key; `crypto.randomUUID` exists only on https and localhost. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const SIGNED_OUT = "You are no longer signed in. Sign in again and retry.";

/** The sentence of an error body, or one of ours where the answer did not come from the API. */
export function sentence(status, body) {
  if (status === 401) return SIGNED_OUT;
  if (body && typeof body.detail === "string" && body.detail) return body.detail;
  if (status === 0) return "The connection was lost. Check the network and try again.";
  if (status === 413) return "The file is larger than the server accepts.";
  if (status === 403) return SIGNED_OUT;
  return `The server answered with the error ${status}. Try again in a moment.`;
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The body of a JSON answer, or null when it cannot be had. */
export async function getJson(url) {
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    return response.ok && !response.redirected ? parsed(await response.text()) : null;
  } catch {
    return null;
  }
}

export function retryAfterMs(value, fallbackMs) {
  const seconds = Number(value);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : fallbackMs;
}

/** Whether an answer says that the session has ended, here or by signing in elsewhere. */
export const isSignedOut = (status, body) => status === 401 || (status === 403 && body?.code === "csrf_failed");

const WORTH_A_RETRY = new Set([0, 409, 429, 502, 503, 504]);

/**
 * POST JSON under an idempotency key and repeat it while the network or the server is away:
 * the key makes each repetition safe.
 */
export async function postSafely(url, data, { key, attempts = 4 } = {}) {
  let answer;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    answer = await postOnce(url, data, key);
    if (isSignedOut(answer.status, answer.body) && await signedInAgain()) answer = await postOnce(url, data, key);
    const isBusy = answer.status === 409 && answer.body?.code !== "idempotency_in_progress";
    if (!WORTH_A_RETRY.has(answer.status) || isBusy || attempt === attempts) break;
    await wait(retryAfterMs(answer.retryAfter, 600 * 2 ** (attempt - 1)));
  }
  return answer;
}

async function postOnce(url, data, key) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() };
  if (key) headers["Idempotency-Key"] = key;
  try {
    const options = { method: "POST", headers, body: JSON.stringify(data), credentials: "same-origin" };
    const response = await fetch(url, options);
    const body = parsed(await response.text());
    return { status: response.status, body, retryAfter: response.headers.get("Retry-After") };
  } catch {
    return { status: 0, body: null, retryAfter: null };
  }
}
