// What is done with the selected images: move, new group, out of groups, reject, look at them.
import { make } from "../base/html.js";
import { number, plural } from "../base/text.js";
import { call, showChange } from "../batches/api.js";
import { askText, chooseGroup } from "../batches/dialogs.js";
import { markOf } from "./panel.js";

const MOST_SHOWN = 120;

export class Actions {
  /** `selected()` gives the points, `groups()` the lines of the legend. */
  constructor(root, { selected, groups, clear }) {
    Object.assign(this, { root, selected, groups, clear });
    this.bar = root.querySelector("[data-selection-bar]");
    this.bar.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act) this.start(act);
    });
    root.querySelector("[data-clear]").addEventListener("click", clear);
    root.querySelector("[data-show-selected]").addEventListener("click", () => this.look());
  }

  get words() { return plural(this.selected().length, "image"); }

  refresh() {
    const points = this.selected();
    const hadFocus = this.bar.contains(document.activeElement);
    this.bar.hidden = points.length === 0;
    if (this.bar.hidden && hadFocus) this.root.querySelector("[data-map-canvas]").focus();
    this.root.querySelector("[data-selection-count]").textContent = `${this.words} selected`;
    const labels = new Set(points.map((point) => point.group_label));
    const [label] = labels;
    const query = labels.size === 1 && label !== null ? `?group=${encodeURIComponent(label)}` : "";
    this.bar.querySelector("[data-open-review]").href = this.root.dataset.review + query;
  }

  start(act) {
    const image_ids = this.selected().map((point) => point.image);
    if (image_ids.length) this[act](image_ids);
  }

  async move(image_ids) {
    const groups = this.groups().map((entry) => ({ ...entry, label: entry.key }));
    const chosen = await chooseGroup(`Move ${this.words} to`, groups, { signOf: markOf });
    if (chosen?.label !== undefined) await this.write("groups/move/", { image_ids, to: chosen.label });
    else if (chosen) await this.write("groups/", { image_ids, name: chosen.name });
  }

  async create(image_ids) {
    const name = await askText(`New group of ${this.words}`, "Name (optional)", { button: "Create group" });
    if (name !== null) await this.write("groups/", { image_ids, name });
  }

  unassign(image_ids) { return this.write("groups/move/", { image_ids, to: null }); }

  async reject(image_ids) {
    const reason = await askText(`Reject ${this.words}`, "Reason (optional)", { button: "Reject", maxLength: 500 });
    if (reason !== null) await this.write("groups/decide/", { image_ids, decision: "rejected", reason });
  }

  async write(path, body) {
    this.bar.setAttribute("aria-busy", "true");
    const answer = await call("POST", path, body);
    this.bar.removeAttribute("aria-busy");
    if (!answer.ok) return; // the selection stays: the same can be tried again
    this.clear();
    showChange(answer.body.change);
  }

  look() {
    const points = this.selected();
    const tiles = points.slice(0, MOST_SHOWN).map(({ image, name }) => {
      const src = `/api/images/${image}/thumbnail/?size=256`;
      const tile = make("img", { src, alt: name, title: name, loading: "lazy", width: 128, height: 128 });
      return make("li", {}, make("a", { href: `/images/${image}/` }, tile));
    });
    const more = this.root.querySelector("[data-look-more]");
    more.hidden = points.length <= MOST_SHOWN;
    more.textContent = `And ${number(points.length - MOST_SHOWN)} more.`;
    this.root.querySelector("[data-look]").replaceChildren(...tiles);
    const dialog = this.root.querySelector("[data-look-dialog]");
    dialog.querySelector("[data-dialog-count]").textContent = `${this.words} selected`;
    dialog.showModal();
  }
}
