// Near-duplicates of a batch: the slider with its live count, deciding without leaving the page, keys.
import { fetchPart, parseParts, prefersReducedMotion } from "./base/html.js";
import { onKeys } from "./base/keys.js";
import { morph } from "./base/morph.js";
import { announce, toast } from "./base/notices.js";
import { plural } from "./base/text.js";
import { call, onChanged, showChange, undo } from "./batches/api.js";

const root = document.querySelector("[data-near]");
const slider = root.querySelector("#near-slider");
const mayEdit = root.dataset.mayEdit !== undefined;
let threshold = Number(slider.dataset.threshold);
let limit = "";

/** Of the slider: [threshold, sets, images]; they come with the sets, as every decision changes them. */
const steps = () => JSON.parse(root.querySelector("[data-near-sets]").dataset.steps);
const sets = () => [...root.querySelectorAll("[data-set]")];

// The threshold

function showCount(place) {
  const [value, setCount, imageCount] = steps()[place];
  const text = setCount ? `${plural(setCount, "set")} of ${plural(imageCount, "image")}` : "no sets";
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

function fetchNear(part) {
  const query = new URLSearchParams({ threshold, part, ...(limit ? { limit } : {}) });
  return fetchPart(`${root.dataset.page}?${query}`);
}

let turn = 0;
async function load({ focusAt = -1 } = {}) {
  turn += 1;
  const mine = turn;
  const list = root.querySelector("[data-near-sets]");
  list.setAttribute("aria-busy", "true");
  const html = await fetchNear("sets");
  if (mine !== turn) return; // a later threshold is on its way
  list.removeAttribute("aria-busy");
  if (html === null) {
    toast("The sets could not be loaded. Reload the page to see them.");
    return;
  }
  morph(list, html);
  showCount(slider.value);
  if (focusAt >= 0) focusSet(Math.min(focusAt, sets().length - 1));
}

function focusSet(place) {
  const set = sets()[place];
  if (!set) return;
  set.querySelector("input[name=keep]:checked")?.focus({ preventScroll: true });
  set.scrollIntoView({ block: "nearest", behavior: prefersReducedMotion() ? "auto" : "smooth" });
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
  if (answer.change) showChange(answer.change);
  else announce("Nothing changed.");
}

async function openPreview() {
  const html = await fetchNear("preview");
  if (html === null) {
    toast("The preview could not be loaded. Try again in a moment.");
    return;
  }
  const dialog = root.querySelector("[data-near-dialog]");
  dialog.firstElementChild.replaceChildren(parseParts(html));
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
  else openPreview();
});

function onCurrentSet(act) {
  return () => (mayEdit && current() >= 0 ? act(sets()[current()]) : false);
}

onKeys({
  ArrowDown: () => focusSet(Math.min(current() + 1, sets().length - 1)),
  ArrowUp: () => focusSet(Math.max(current() - 1, 0)),
  d: onCurrentSet((set) => decide(set, "not_duplicate")),
  u: () => (mayEdit ? undo() : false),
});

onChanged(() => load({ focusAt: resolvedAt }));
initSlider();
