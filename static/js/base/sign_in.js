// When the session has ended: sign in in a new tab, and this page goes on with everything that was chosen in it.
import { fetchPart, make } from "./html.js";

const LOOK_MS = 3000;
let asking = null;

/** Resolves to true once somebody has signed in again, to false when the dialog is closed; asked once for all. */
export function signedInAgain() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

/** Signing in changes the CSRF token, so the one of this page has to be replaced before anything is sent. */
async function takeNewToken() {
  const html = await fetchPart(document.querySelector(".brand").href);
  const page = new DOMParser().parseFromString(html ?? "", "text/html");
  const token = page.querySelector('meta[name="csrf-token"]')?.content;
  if (!token) return false;
  document.querySelector('meta[name="csrf-token"]').content = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  return true;
}

async function ask() {
  if (await takeNewToken()) return true; // signed in elsewhere already
  const link = make("a", {
    className: "button primary", href: document.body.dataset.signIn, target: "_blank", textContent: "Sign in",
  });
  const later = make("button", { className: "button", type: "button", textContent: "Not now" });
  const title = make("h2", { id: "sign-in-again", textContent: "You are no longer signed in" });
  const text = "Sign in in a new tab. This page keeps what you chose and continues on its own.";
  const dialog = make("dialog", { className: "sign-in-again card" }, title, make("p", { textContent: text }),
    make("div", { className: "row" }, link, later));
  dialog.setAttribute("aria-labelledby", title.id);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    const look = async () => { if (await takeNewToken()) dialog.close("signed-in"); };
    const timer = setInterval(look, LOOK_MS);
    window.addEventListener("focus", look);
    later.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      clearInterval(timer);
      window.removeEventListener("focus", look);
      dialog.remove();
      resolve(dialog.returnValue === "signed-in");
    });
  });
}
