// Beside the map: the legend, the search, and the card of the image under the pointer.
import { Combobox } from "../base/combobox.js";
import { make, makeSvg } from "../base/html.js";
import { NONE } from "./data.js";

const MOST_FOUND = 8;

const PATHS = ["M7 2a5 5 0 1 0 .01 0z", "M2.6 2.6h8.8v8.8H2.6z", "M7 1l6 6-6 6-6-6z", "M7 1l5.6 10H1.4z"];

/** The mark of a line of the legend, as it is on the map. */
export function markOf({ colour, shape }) {
  const path = makeSvg("path", { d: PATHS[shape % 4], fill: colour });
  return makeSvg("svg", { viewBox: "0 0 14 14", class: "map-mark", "aria-hidden": "true" }, path);
}

/** Lines that are pressed are in focus; `onChange` gets their keys. */
export class Legend {
  constructor(root, onChange) {
    this.list = root.querySelector("[data-legend]");
    this.title = root.querySelector("[data-legend-title]");
    this.clear = root.querySelector("[data-legend-clear]");
    this.focus = new Set();
    this.onChange = onChange;
    this.list.addEventListener("click", (event) => this.clicked(event));
    this.clear.addEventListener("click", () => this.setFocus([]));
  }

  show(entries, title) {
    this.title.textContent = title;
    const held = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const lines = entries.filter((entry) => entry.count || entry.key !== NONE).map((entry) => {
      const title = make("span", { className: "clip", textContent: entry.title, title: entry.title });
      const count = make("span", { className: "num faint", textContent: entry.count });
      const button = make("button", { type: "button", className: "map-line" }, markOf(entry), title, count);
      button.dataset.key = entry.key;
      return make("li", {}, button);
    });
    this.list.replaceChildren(...lines);
    this.focus = new Set([...this.focus].filter((key) => entries.some((entry) => entry.key === key)));
    this.mark();
    if (held !== null) this.list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  mark() {
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(this.focus.has(button.dataset.key)));
    }
    this.list.classList.toggle("has-focus", this.focus.size > 0);
    this.clear.hidden = this.focus.size === 0;
  }

  clicked(event) {
    const key = event.target.closest("button")?.dataset.key;
    if (key === undefined) return;
    const focus = new Set(this.focus);
    if (!focus.delete(key)) focus.add(key);
    this.setFocus(focus);
  }

  setFocus(keys) {
    this.focus = new Set(keys);
    this.mark();
    this.onChange(this.focus);
  }
}

/** A field that finds groups and images by their names; `onChoose({ label } | { index })`. */
export function initSearch(root, { data, onChoose }) {
  const find = (text) => {
    const lowered = text.toLowerCase();
    const { points, groups } = data();
    const lines = groups
      .filter(({ title }) => title.toLowerCase().includes(lowered))
      .map(({ label, title }) => lineOf(title, "Group", { label }));
    for (let index = 0; index < points.length && lines.length < MOST_FOUND; index += 1) {
      const { name } = points[index];
      if (name.toLowerCase().includes(lowered)) lines.push(lineOf(name, "Image", { index }));
    }
    return lines.slice(0, MOST_FOUND);
  };
  const [field, list] = [root.querySelector("#map-search"), root.querySelector("#map-found")];
  new Combobox(field, list, { find, onChoose, emptyText: "Nothing found", isPopup: true });
}

function lineOf(name, kind, value) {
  const parts = [
    make("span", { className: "clip", textContent: name }),
    make("span", { className: "faint small", textContent: kind }),
  ];
  return { value, parts };
}

const DECISIONS = { rejected: "rejected", accepted: "accepted" };

function factsOf(point) {
  const facts = [];
  if (point.quality !== null) facts.push(`grade ${Math.round(point.quality)}`);
  if (point.outlier_score !== null) facts.push(`outlier ${point.outlier_score.toFixed(2)}`);
  if (DECISIONS[point.decision]) facts.push(DECISIONS[point.decision]);
  return facts.join(" · ");
}

/** The image of a point: shown while hovering, held by a click or tap. */
export class Card {
  constructor(root, onSelect) {
    this.card = root.querySelector("[data-map-card]");
    this.held = -1;
    this.part("select").addEventListener("click", () => onSelect(this.held));
  }

  part(name) { return this.card.querySelector(`[data-card-${name}]`); }

  show(index, point, { place, title, isSelected, isHeld }) {
    const url = `/images/${point.image}/`;
    const image = this.part("picture");
    if (this.shown !== point.image) {
      image.src = `/api/images/${point.image}/thumbnail/?size=256`;
      this.shown = point.image;
    }
    image.alt = point.name;
    this.part("name").textContent = point.name;
    this.part("group").textContent = title;
    this.part("facts").textContent = factsOf(point);
    for (const name of ["link", "open"]) this.part(name).href = url;
    this.part("select").textContent = isSelected ? "Deselect" : "Select";
    this.part("actions").hidden = !isHeld;
    this.held = isHeld ? index : -1;
    this.card.classList.toggle("is-held", isHeld);
    this.card.hidden = false;
    this.put(place);
  }

  put([x, y]) {
    const stage = this.card.parentElement;
    const [w, h] = [this.card.offsetWidth, this.card.offsetHeight];
    const left = x + 18 + w > stage.clientWidth ? x - w - 18 : x + 18;
    this.card.style.left = `${Math.max(6, Math.min(left, stage.clientWidth - w - 6))}px`;
    this.card.style.top = `${Math.max(6, Math.min(y - h / 2, stage.clientHeight - h - 6))}px`;
  }

  hide() {
    this.held = -1;
    this.card.hidden = true;
  }
}
