// What is done with the selected pictures: move, new group, out of groups, reject, look at them.
import { call, capital, toastWithUndo } from "./batch_api.js";
import { mark } from "./map_panel.js";

const MOST_SHOWN = 120;

const counted = (number) => `${number.toLocaleString("en")} picture${number === 1 ? "" : "s"}`;

export class Actions {
  /** `selected()` gives the points, `entries()` the groups of the legend. */
  constructor(root, { selected, entries, clear }) {
    Object.assign(this, { root, selected, entries, clear });
    this.bar = root.querySelector("[data-selection-bar]");
    this.bar.addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      if (act) this.start(act);
    });
    root.querySelector("[data-clear]").addEventListener("click", clear);
    root.querySelector("[data-show-selected]").addEventListener("click", () => this.look());
    for (const button of root.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close(""));
    if (root.dataset.mayEdit === undefined) return;
    this.initMove();
    this.onMade("new", "make", () => this.make(root.querySelector("#map-new-name").value));
    this.onMade("reject", "reject", () => this.reject(root.querySelector("#map-reject-reason").value));
  }

  dialog(name) { return this.root.querySelector(`[data-dialog="${name}"]`); }

  onMade(name, value, done) {
    this.dialog(name).addEventListener("close", (event) => { if (event.target.returnValue === value) done(); });
  }

  refresh() {
    const points = this.selected();
    const hadFocus = this.bar.contains(document.activeElement);
    this.bar.hidden = points.length === 0;
    if (this.bar.hidden && hadFocus) this.root.querySelector("[data-map-canvas]").focus();
    this.root.querySelector("[data-selection-count]").textContent = `${counted(points.length)} selected`;
    const labels = new Set(points.map((point) => point.group_label));
    const [label] = labels;
    const query = labels.size === 1 && label !== null ? `?group=${encodeURIComponent(label)}` : "";
    this.bar.querySelector("[data-open-review]").href = this.root.dataset.review + query;
  }

  start(act) {
    const points = this.selected();
    if (!points.length) return;
    if (act === "unassign") this.move(null);
    else this.open(act);
  }

  open(name) {
    const dialog = this.dialog(name);
    dialog.querySelector("[data-dialog-count]").textContent = counted(this.selected().length);
    for (const field of dialog.querySelectorAll("input")) field.value = "";
    if (name === "move") this.showChoices();
    dialog.returnValue = "";
    dialog.showModal();
    dialog.querySelector("input")?.focus();
  }

  // The chooser

  initMove() {
    const dialog = this.dialog("move");
    this.choices = dialog.querySelector("[data-choices]");
    this.search = dialog.querySelector("[data-choose-search]");
    this.search.addEventListener("input", () => this.showChoices());
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.choices.querySelector("button")?.click();
    });
    this.choices.addEventListener("click", (event) => {
      const label = event.target.closest("button")?.dataset.label;
      if (label === undefined) return;
      dialog.close("");
      this.move(label);
    });
    dialog.querySelector("[data-choose-new]").addEventListener("click", () => {
      const name = this.search.value;
      dialog.close("");
      this.open("new");
      this.root.querySelector("#map-new-name").value = name;
    });
  }

  showChoices() {
    const text = this.search.value.trim().toLowerCase();
    const fitting = this.entries().filter(({ title }) => title.toLowerCase().includes(text));
    const lines = fitting.map((entry) => {
      const [line, button, name, count] = ["li", "button", "span", "span"].map((tag) => document.createElement(tag));
      Object.assign(button, { type: "button", className: "map-line" });
      button.dataset.label = entry.key;
      Object.assign(name, { className: "clip", textContent: entry.title });
      Object.assign(count, { className: "num faint", textContent: entry.count });
      button.append(mark(entry), name, count);
      line.append(button);
      return line;
    });
    if (!lines.length) lines.push(Object.assign(document.createElement("li"), { className: "muted", textContent: "No group of this name." }));
    this.choices.replaceChildren(...lines);
  }

  // The writes

  get ids() { return this.selected().map((point) => point.image); }

  async write(path, body) {
    this.bar.setAttribute("aria-busy", "true");
    const answer = await call("POST", path, body);
    this.bar.removeAttribute("aria-busy");
    if (!answer.ok) return; // the selection stays: the same can be tried again
    this.clear();
    const { change } = answer.body;
    if (change) toastWithUndo(`${capital(change.summary)}.`, change.sequence);
  }

  move(label) { return this.write("groups/move/", { image_ids: this.ids, to: label }); }

  make(name) { return this.write("groups/", { image_ids: this.ids, ...(name.trim() ? { name: name.trim() } : {}) }); }

  reject(reason) {
    return this.write("groups/decide/", { image_ids: this.ids, decision: "rejected", ...(reason.trim() ? { reason: reason.trim() } : {}) });
  }

  // Looking

  look() {
    const points = this.selected();
    const tiles = points.slice(0, MOST_SHOWN).map((point) => {
      const [line, link, picture] = ["li", "a", "img"].map((tag) => document.createElement(tag));
      link.href = `/images/${point.image}/`;
      Object.assign(picture, { src: `/api/images/${point.image}/thumbnail/?size=256`, alt: point.name, title: point.name, loading: "lazy", width: 128, height: 128 });
      link.append(picture);
      line.append(link);
      return line;
    });
    const more = this.root.querySelector("[data-look-more]");
    more.hidden = points.length <= MOST_SHOWN;
    more.textContent = `And ${(points.length - MOST_SHOWN).toLocaleString("en")} more.`;
    this.root.querySelector("[data-look]").replaceChildren(...tiles);
    const dialog = this.dialog("look");
    dialog.querySelector("[data-dialog-count]").textContent = `${counted(points.length)} selected`;
    dialog.showModal();
  }
}
