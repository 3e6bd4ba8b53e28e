// What every page has: the colour switch, live parts that survive a lost connection, images that are missing.
import { announce, icon } from "./base/notices.js";
import { local } from "./base/storage.js";

const THEMES = {
  system: ["contrast", "Colours: as the system"],
  light: ["sun", "Colours: light"],
  dark: ["moon", "Colours: dark"],
};

function storedTheme() {
  const theme = local.get("pix.theme");
  return theme in THEMES ? theme : "system";
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  local.set("pix.theme", theme);
}

function showTheme(button, theme) {
  const [name, label] = THEMES[theme];
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", label);
  button.title = label;
}

function initTheme() {
  const button = document.querySelector("[data-theme-switch]");
  if (!button) return;
  let theme = storedTheme();
  button.hidden = false;
  showTheme(button, theme);
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    setTheme(theme);
    showTheme(button, theme);
    announce(THEMES[theme][1]);
  });
}

function initMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// A live part that got no answer asks again, ever more slowly, instead of standing still for good.
const failures = new WeakMap();
function askAgain(event) {
  const part = event.detail.elt;
  if (!part.matches?.("[data-poll]")) return;
  const count = (failures.get(part) ?? 0) + 1;
  failures.set(part, count);
  setTimeout(() => { if (part.isConnected) window.htmx.trigger(part, "again"); }, Math.min(30_000, 1000 * 2 ** count));
}

function initLiveParts() {
  const signIn = document.body.dataset.signIn;
  const failed = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];
  for (const name of failed) document.body.addEventListener(name, askAgain);
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const url = new URL(event.detail.xhr.responseURL || location.href, location.href);
    if (url.pathname !== signIn) return;
    event.detail.shouldSwap = false; // the session has ended: a form inside a card would help nobody
    location.assign(`${signIn}?next=${encodeURIComponent(location.pathname + location.search)}`);
  });
  let focused = null;
  let opened = [];
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    focused = target.contains(document.activeElement) ? document.activeElement.id : null;
    opened = Array.from(target.querySelectorAll("details[id][open]"), (part) => part.id);
    if (!target.querySelector("input:active, .is-dragged")) return;
    event.detail.shouldSwap = false; // a slider is being dragged: the part would be pulled away from the hand
    setTimeout(() => window.htmx.trigger(target, "again"), 1000);
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const part = event.detail.elt;
    const text = part.dataset?.announce ?? part.querySelector?.("[data-announce]")?.dataset.announce;
    if (text) announce(text);
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  });
}

function initBrokenImages() {
  const hide = (image) => {
    if (image.classList.contains("is-broken")) return;
    image.classList.add("is-broken");
    image.removeAttribute("srcset");
    image.src = document.body.dataset.blank;
  };
  const failed = ({ target }) => { if (target.matches?.("img[data-fallback]")) hide(target); };
  document.addEventListener("error", failed, true);
  for (const image of document.querySelectorAll("img[data-fallback]")) {
    if (image.complete && image.naturalWidth === 0 && image.loading !== "lazy") hide(image);
  }
}

function initSubmitOnChange() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
}

initTheme();
initMenus();
initLiveParts();
initBrokenImages();
initSubmitOnChange();
