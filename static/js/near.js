// Near-duplicates of a batch: the slider with its live count, deciding without leaving the page, keys.
import { call, capital, onChanged, toastWithUndo, undo } from "./batch_api.js";
import { announce, toast } from "./page.js";

const root = document.querySelector("[data-near]");
const slider = root.querySelector("#near-slider");
const mayEdit = root.dataset.mayEdit !== undefined;
let threshold = Number(slider.dataset.threshold);
let limit = "";

/** Of the slider: [threshold, sets, pictures]; they come with the sets, as every decision changes them. */
const steps = () => JSON.parse(root.querySelector("[data-near-sets]").dataset.steps);
const sets = () => [...root.querySelectorAll("[data-set]")];
const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// The threshold

function showCount(place) {
  const [value, setCount, imageCount] = steps()[place];
  const text = setCount ? `${plural(setCount, "set")} of ${plural(imageCount, "picture")}` : "no sets";
  root.querySelector("[data-count]").textContent = text;
  slider.setAttribute("aria-valuetext", `${value}: ${text}`);
}

function nearestStep() {
  const distances = steps().map(([value]) => Math.abs(value - threshold));
  return distances.indexOf(Math.min(...distances));
}

function initSlider() {
  if (!steps().length) return;
  root.querySelector("[data-plain-threshold]").remove();
  root.querySelector("[data-slider]").hidden = false;
  slider.value = nearestStep();
  showCount(slider.value);
  slider.addEventListener("input", () => showCount(slider.value));
  slider.addEventListener("change", () => {
    [threshold] = steps()[slider.value];
    limit = "";
    history.replaceState(null, "", `?threshold=${threshold}`);
    load();
  });
}

// The sets

async function part(name) {
  const query = new URLSearchParams({ threshold, part: name, ...(limit ? { limit } : {}) });
  const answer = await fetch(`${root.dataset.page}?${query}`, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) throw new Error(`near ${answer.status}`);
  return answer.text();
}

let asked = 0;
async function load({ focusAt = -1 } = {}) {
  asked += 1;
  const mine = asked;
  const list = root.querySelector("[data-near-sets]");
  const isOpen = list.querySelector("details")?.open;
  list.setAttribute("aria-busy", "true");
  let html;
  try {
    html = await part("sets");
  } catch {
    list.removeAttribute("aria-busy");
    toast("The sets could not be loaded. Reload the page to see them.");
    return;
  }
  if (mine !== asked) return; // a later threshold is on its way
  const template = document.createElement("template");
  template.innerHTML = html;
  list.replaceWith(template.content);
  showCount(slider.value);
  if (isOpen) root.querySelector("#near-decided")?.setAttribute("open", "");
  if (focusAt >= 0) focusSet(Math.min(focusAt, sets().length - 1));
}

function focusSet(place) {
  const set = sets()[place];
  if (!set) return;
  set.querySelector("input[name=keep]:checked")?.focus({ preventScroll: true });
  set.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

const current = () => sets().findIndex((set) => set.contains(document.activeElement));

let resolvedAt = -1;
async function decide(set, verdict) {
  const keep = set.querySelector("input[name=keep]:checked")?.value;
  const others = [...set.querySelectorAll("input[name=image]")].map((field) => field.value).filter((id) => id !== keep);
  resolvedAt = sets().indexOf(set);
  await send({ decisions: [{ keep, others }], verdict });
}

async function send(body) {
  const { ok, body: answer } = await call("POST", "near-duplicates/resolve/", { threshold, ...body });
  resolvedAt = -1;
  if (!ok) return;
  if (answer.change) toastWithUndo(`${capital(answer.change.summary)}.`, answer.change.sequence);
  else announce("It was decided so already");
}

async function openPreview() {
  const dialog = root.querySelector("[data-near-dialog]");
  dialog.firstElementChild.innerHTML = await part("preview");
  dialog.showModal();
}

// What people do

root.addEventListener("submit", (event) => {
  if (event.target.matches("[data-set]")) {
    event.preventDefault();
    decide(event.target, event.submitter?.value ?? "duplicate");
  } else if (event.target.matches("[data-all-form]")) {
    event.preventDefault();
    event.target.closest("dialog")?.close();
    send({ all: true, verdict: "duplicate" });
  }
});

root.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("[data-resolve-all], [data-near-more], dialog [data-close]");
  if (!link) return;
  event.preventDefault();
  if (link.matches("[data-close]")) link.closest("dialog").close();
  else if (link.matches("[data-near-more]")) { limit = link.dataset.limit; load(); }
  else openPreview().catch(() => toast("The preview could not be loaded. Try again in a moment."));
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input:not([type=radio]), select, textarea, dialog, summary");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const place = current();
  if (event.key === "ArrowDown") focusSet(Math.min(place + 1, sets().length - 1));
  else if (event.key === "ArrowUp") focusSet(Math.max(place - 1, 0));
  else if (mayEdit && event.key === "d" && place >= 0) decide(sets()[place], "not_duplicate");
  else if (mayEdit && event.key === "u") undo();
  else return;
  event.preventDefault();
});

onChanged(() => load({ focusAt: resolvedAt }));
initSlider();
