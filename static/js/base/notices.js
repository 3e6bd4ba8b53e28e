// Telling people things: a spoken sentence, a short note at the bottom of the page.
import { makeSvg } from "./html.js";

export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer && announcer.textContent !== text) announcer.textContent = text;
}

let hiding;
export function toast(text) {
  const note = document.getElementById("toast");
  if (!note) return;
  note.textContent = text;
  note.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { note.hidden = true; }, 6000);
}

export function icon(name) {
  const sprite = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  return makeSvg("svg", { class: "icon", "aria-hidden": "true" }, makeSvg("use", { href: `${sprite}#${name}` }));
}
