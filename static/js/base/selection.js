// Ticking many images of a page: all, none, or from one to another with Shift.
import { announce } from "./notices.js";

export class Selection {
  constructor(form) {
    this.form = form;
    this.last = null;
    for (const name of ["select-all", "select-none"]) form.querySelector(`[data-${name}]`).hidden = false;
    form.querySelector("[data-select-all]").addEventListener("click", () => this.setAll(true));
    form.querySelector("[data-select-none]").addEventListener("click", () => this.setAll(false));
    form.addEventListener("click", (event) => this.clicked(event));
    form.addEventListener("change", () => this.refresh());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.count) this.setAll(false);
    });
    this.refresh();
  }

  get boxes() { return Array.from(this.form.querySelectorAll('input[name="image"]')); }
  get count() { return this.boxes.filter((box) => box.checked).length; }

  /** With Shift held, everything between the last tick and this one follows. */
  clicked(event) {
    const box = event.target.closest?.('input[name="image"]');
    if (!box) return;
    const boxes = this.boxes;
    const [from, to] = [boxes.indexOf(this.last), boxes.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const other of boxes.slice(from, to + 1)) other.checked = box.checked;
    this.last = box;
    this.refresh();
  }

  setAll(isChecked) {
    for (const box of this.boxes) box.checked = isChecked;
    this.refresh();
  }

  refresh() {
    const { count } = this;
    this.form.querySelector("[data-selected-count]").textContent = `${count} selected`;
    const expected = this.form.querySelector("[data-expected]");
    if (expected) expected.value = count;
    if (count) announce(`${count} selected`);
  }
}
