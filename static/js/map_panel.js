// Beside the map: the legend, the search, and the card of the picture under the pointer.
import { NONE } from "./map_data.js";

const MOST_FOUND = 8;

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = ["M7 2a5 5 0 1 0 .01 0z", "M2.6 2.6h8.8v8.8H2.6z", "M7 1l6 6-6 6-6-6z", "M7 1l5.6 10H1.4z"];

/** The mark of a line of the legend, as it is on the map. */
export function mark({ colour, shape }) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 14 14", class: "map-mark", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[shape % 4]);
  path.setAttribute("fill", colour);
  svg.append(path);
  return svg;
}

/** Lines that are pressed are in focus; `onChange` gets their keys. */
export class Legend {
  constructor(root, onChange) {
    [this.list, this.title, this.clear] = ["[data-legend]", "[data-legend-title]", "[data-legend-clear]"].map((name) => root.querySelector(name));
    this.focus = new Set();
    this.onChange = onChange;
    this.list.addEventListener("click", (event) => this.clicked(event));
    this.clear.addEventListener("click", () => this.setFocus([]));
  }

  show(entries, title) {
    this.title.textContent = title;
    const held = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const lines = entries.filter((entry) => entry.count || entry.key !== NONE).map((entry) => {
      const button = make("button", { type: "button", className: "map-line" }, mark(entry), make("span", { className: "clip", textContent: entry.title, title: entry.title }), make("span", { className: "num faint", textContent: entry.count }));
      button.dataset.key = entry.key;
      return make("li", {}, button);
    });
    this.list.replaceChildren(...lines);
    this.focus = new Set([...this.focus].filter((key) => entries.some((entry) => entry.key === key)));
    this.mark();
    if (held !== null) this.list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  mark() {
    for (const button of this.list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(this.focus.has(button.dataset.key)));
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

/** A field that finds groups and pictures by their names; `onChoose({ label } | { index })`. */
export class Search {
  constructor(root, { data, onChoose }) {
    [this.field, this.list] = [root.querySelector("#map-search"), root.querySelector("#map-found")];
    [this.data, this.onChoose] = [data, onChoose];
    this.field.addEventListener("input", () => this.find());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    this.list.addEventListener("click", (event) => this.choose(event.target.closest("li")));
  }

  find() {
    const text = this.field.value.trim().toLowerCase();
    const { points, groups } = this.data();
    const found = [];
    if (text) {
      for (const { label, title } of groups) if (title.toLowerCase().includes(text)) found.push({ label, text: title, kind: "Group" });
      points.forEach((point, index) => {
        if (found.length < MOST_FOUND && point.name.toLowerCase().includes(text)) found.push({ index, text: point.name, kind: "Picture" });
      });
    }
    this.found = found.slice(0, MOST_FOUND);
    const lines = this.found.map((one, i) => {
      const line = make("li", { id: `map-found-${i}`, role: "option" }, make("span", { className: "clip", textContent: one.text }), make("span", { className: "faint small", textContent: one.kind }));
      line.setAttribute("role", "option");
      line.dataset.place = i;
      return line;
    });
    if (text && !lines.length) lines.push(make("li", { className: "muted", textContent: "Nothing of this name" }));
    this.list.replaceChildren(...lines);
    this.list.hidden = !text;
    this.field.setAttribute("aria-expanded", String(Boolean(text)));
    this.mark(0);
  }

  mark(place) {
    const options = [...this.list.querySelectorAll("[role=option]")];
    this.place = options.length ? (place + options.length) % options.length : -1;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.place)));
    if (this.place >= 0) this.field.setAttribute("aria-activedescendant", `map-found-${this.place}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) this.mark(this.place + steps[event.key]);
    else if (event.key === "Enter") this.choose(this.list.children[this.place]);
    else if (event.key === "Escape") { this.field.value = ""; this.close(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(line) {
    const found = this.found?.[line?.dataset.place];
    if (!found) return;
    this.close();
    this.onChoose(found);
  }

  close() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
  }
}

const DECISIONS = { rejected: "rejected", accepted: "accepted" };

function factsOf(point) {
  const facts = [];
  if (point.quality !== null) facts.push(`grade ${Math.round(point.quality)}`);
  if (point.outlier_score !== null) facts.push(`outlier ${point.outlier_score.toFixed(2)}`);
  if (DECISIONS[point.decision]) facts.push(DECISIONS[point.decision]);
  return facts.join(" · ");
}

/** The picture of a point: shown while hovering, held by a click or tap. */
export class Card {
  constructor(root, onSelect) {
    this.card = root.querySelector("[data-map-card]");
    this.held = -1;
    this.part("select").addEventListener("click", () => onSelect(this.held));
  }

  part(name) { return this.card.querySelector(`[data-card-${name}]`); }

  show(index, point, { place, title, isSelected, isHeld }) {
    const url = `/images/${point.image}/`;
    const picture = this.part("picture");
    if (this.shown !== point.image) {
      picture.src = `/api/images/${point.image}/thumbnail/?size=256`;
      this.shown = point.image;
    }
    picture.alt = point.name;
    this.part("name").textContent = point.name;
    this.part("group").textContent = title;
    this.part("facts").textContent = factsOf(point);
    for (const name of ["link", "open"]) this.part(name).href = url;
    this.part("select").textContent = isSelected ? "Unselect" : "Select";
    this.part("actions").hidden = !isHeld;
    this.held = isHeld ? index : -1;
    this.card.classList.toggle("is-held", isHeld);
    this.card.hidden = false;
    this._put(place);
  }

  _put([x, y]) {
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
