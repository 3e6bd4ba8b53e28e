// A field with type-ahead.
import { make } from "./html.js";

export class Combobox {
  /**
   * `find(text)` gives the lines that fit: { value, parts, className }, `parts` being what a line shows.
   * A popup is open only while there is text in the field.
   */
  constructor(field, list, { find, onChoose, emptyText, isPopup = false }) {
    Object.assign(this, { field, list, find, onChoose, emptyText, isPopup, lines: [], marked: -1 });
    field.addEventListener("input", () => this.refresh());
    field.addEventListener("keydown", (event) => this.pressed(event));
    if (isPopup) field.addEventListener("blur", () => this.open(false));
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => this.choose(this.options.indexOf(event.target.closest("[role=option]"))));
  }

  get options() { return [...this.list.querySelectorAll("[role=option]")]; }

  refresh() {
    const text = this.field.value.trim();
    this.lines = this.isPopup && !text ? [] : this.find(text);
    const options = this.lines.map(({ parts, className = "" }, i) => {
      return make("li", { id: `${this.list.id}-${i}`, role: "option", className }, ...parts);
    });
    if (!options.length) options.push(make("li", { className: "muted", textContent: this.emptyText }));
    this.list.replaceChildren(...options);
    this.open(!this.isPopup || text !== "");
    this.mark(0);
  }

  open(isOpen) {
    this.list.hidden = !isOpen;
    this.field.setAttribute("aria-expanded", String(isOpen));
  }

  mark(place) {
    const { options } = this;
    this.marked = options.length ? (place + options.length) % options.length : -1;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.marked)));
    const option = options[this.marked];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.field.setAttribute("aria-activedescendant", option.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") this.mark(this.marked + 1);
    else if (event.key === "ArrowUp") this.mark(this.marked - 1);
    else if (event.key === "Enter") this.choose(this.marked);
    else if (event.key === "Escape" && this.isPopup) {
      this.field.value = "";
      this.refresh();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(place) {
    const line = this.lines[place];
    if (!line) return;
    if (this.isPopup) this.open(false);
    this.onChoose(line.value);
  }
}
