// The library: uploads that appear in the grid, and selecting many pictures.
import { acceptFiles } from "./dropzone.js";
import { announce } from "./page.js";
import { Uploads } from "./uploads.js";

function initUploads() {
  const form = document.querySelector("[data-gallery-upload]");
  if (!form) return;
  let hadWork = false;
  const uploads = new Uploads({
    list: form.querySelector("[data-uploads]"),
    template: form.querySelector("[data-upload-template]"),
    maxBytes: Number(form.dataset.maxBytes),
    onChange: (queue) => {
      if (queue.isBusy) hadWork = true;
      else if (hadWork && queue.imageIds.length) {
        hadWork = false;
        if (queue.refusedCount === 0) location.reload(); // the grid shows them, in its own order and filters
        else announce(`${queue.imageIds.length} pictures uploaded, ${queue.refusedCount} refused.`);
      }
    },
  });
  acceptFiles(form.querySelector('input[type="file"]'), (files) => uploads.add(files));
}

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
    if (count) announce(`${count} selected`);
  }
}

initUploads();
const form = document.querySelector("[data-gallery-selection]");
if (form?.querySelector(".selection-bar")) new Selection(form);
