// The keys of the review page.
import { onKeys } from "../base/keys.js";
import { local } from "../base/storage.js";

const STORED = "pix.review.keys";
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
const COMMANDS = {
  g: "move", s: "split", S: "split-auto", m: "merge", x: "reject-now", X: "reject", a: "accept", c: "confirm",
  n: "rename", l: "lock", u: "undo", U: "redo", r: "redo", 0: "unassign", "?": "help",
  "Ctrl+z": "undo", "Ctrl+Z": "redo", "Ctrl+y": "redo",
};

const singleKeysAreOn = () => local.get(STORED) !== "off";

const isOnImage = (event) => Boolean(event.target.closest(".pic"));

export function listenToKeys(page) {
  const run = (name) => () => { page.run(name); };
  const byNumber = (event) => {
    const label = page.numbers.label(Number(event.key));
    if (label && page.mayEdit) page.actions.moveTo(label);
  };
  const look = (event) => (event.key === "Enter" && !isOnImage(event) ? false : openPanel(page));
  const table = {
    ...Object.fromEntries(Object.entries(COMMANDS).map(([key, name]) => [key, run(name)])),
    ...Object.fromEntries(ARROWS.map((key) => [key, (event) => walk(page, event)])),
    ...Object.fromEntries(Array.from("123456789", (key) => [key, byNumber])),
    Enter: look,
    i: look,
    " ": (event) => (isOnImage(event) ? toggle(page) : false), // buttons and links keep theirs
    Escape: () => close(page),
    "Ctrl+a": () => (page.mayEdit ? page.images.selectAll() : false),
    "/": () => focusSearch(page),
    o: () => openGroup(page),
    "[": () => page.follow("[data-before]"),
    "]": () => page.follow("[data-after]"),
  };
  onKeys(table, { singleKeysAreOn });
}

/** Close one thing after the other: the comparison, the panel, the suggestions, the selection. */
function close(page) {
  if (page.panel.beside) page.panel.compare(null);
  else if (page.panel.close() || page.suggestions.close()) return true;
  else if (page.images.selected.length) page.images.clear();
  else return false;
  return true;
}

function walk(page, event) {
  const isFree = document.activeElement === document.body || document.activeElement?.id === "main";
  if (!isOnImage(event) && !isFree && !page.panel.isOpen) return false;
  page.images.go(event.key, event.shiftKey);
  return true;
}

function openPanel(page) {
  if (!page.images.current?.isConnected) return false;
  page.panel.open(page.images.current);
  return true;
}

function toggle(page) {
  if (page.mayEdit) page.images.toggle(page.images.current);
}

function focusSearch(page) {
  const field = document.getElementById("f-search");
  if (field) field.focus();
  else page.run("move");
}

function openGroup(page) {
  if (page.openLabel !== null) page.follow("[data-all-groups]");
  else {
    const link = page.group?.querySelector("[data-open]");
    if (link) location.assign(link.href);
  }
}

/** The list of keys, with the switch for those that are a single letter. */
export function showHelp() {
  const dialog = document.getElementById("help");
  const box = dialog.querySelector("#keys-on");
  box.checked = singleKeysAreOn();
  box.onchange = () => local.set(STORED, box.checked ? "on" : "off");
  dialog.showModal();
}
