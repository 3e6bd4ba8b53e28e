// The keys of the review page.
import { keysAreOn, showHelp } from "./review_dialogs.js";

const ACTS = {
  g: "move", s: "split", S: "split-auto", m: "merge", x: "reject-now", X: "reject", a: "accept", c: "confirm",
  n: "rename", l: "lock", u: "undo", U: "redo", r: "redo", "0": "unassign",
};
const ON_BUTTONS = new Set(["Enter", " "]);

export function listenToKeys(page) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type='checkbox']), textarea, select")) return;
    if (pressed(page, event)) event.preventDefault();
  });
}

function pressed(page, event) {
  const { key } = event;
  if (event.ctrlKey || event.metaKey) return withControl(page, key);
  if (key === "Escape") return endComparison(page) || page.panel.close() || page.suggestions.close() || clear(page);
  const isOnPicture = Boolean(event.target.closest(".pic"));
  if (!isOnPicture && ON_BUTTONS.has(key)) return false; // buttons and links keep theirs
  if (key.startsWith("Arrow")) return walk(page, event, isOnPicture);
  if (key === "Enter" || key === "i") return open(page);
  if (key === " ") return toggle(page);
  return keysAreOn() && single(page, key);
}

function withControl(page, key) {
  if (key === "a" && page.mayEdit) page.pictures.selectAll();
  else if (key === "z") page.act("undo");
  else if (key === "Z" || key === "y") page.act("redo");
  else return false;
  return true;
}

function endComparison(page) {
  if (!page.panel.beside) return false;
  page.panel.compare(null);
  return true;
}

function clear(page) {
  if (!page.pictures.selected.length) return false;
  page.pictures.clear();
  return true;
}

function walk(page, event, isOnPicture) {
  const isFree = document.activeElement === document.body || document.activeElement?.id === "main";
  if (!isOnPicture && !isFree && !page.panel.isOpen) return false;
  page.pictures.go(event.key, event.shiftKey);
  return true;
}

function open(page) {
  if (!page.pictures.current?.isConnected) return false;
  page.panel.open(page.pictures.current);
  return true;
}

function toggle(page) {
  if (page.mayEdit) page.pictures.toggle(page.pictures.current);
  return true;
}

function single(page, key) {
  if (key >= "1" && key <= "9") {
    const label = page.numbers.label(Number(key));
    if (label && page.mayEdit) page.acts.moveTo(label);
  } else if (key === "?") showHelp();
  else if (key === "/") focusSearch(page);
  else if (key === "o") openGroup(page);
  else if (key === "[") page.follow("[data-before]");
  else if (key === "]") page.follow("[data-after]");
  else if (ACTS[key]) page.act(ACTS[key]);
  else return false;
  return true;
}

function focusSearch(page) {
  const field = document.getElementById("f-search");
  if (field) field.focus();
  else page.act("move");
}

function openGroup(page) {
  if (page.openLabel !== null) page.follow("[data-all-groups]");
  else {
    const link = page.group?.querySelector("[data-open]");
    if (link) location.assign(link.href);
  }
}
