// The map of a batch: every image as a point, to be looked at, lassoed and sorted.
import { onChanged, undo } from "./batch_api.js";
import { announce } from "./page.js";
import { Actions } from "./map_actions.js";
import { coloured, load, NONE, places, TITLES, titles } from "./map_data.js";
import { Gestures } from "./map_gestures.js";
import { Card, Legend, Search } from "./map_panel.js";
import { MapView, themeOf } from "./map_view.js";

class BatchMap {
  constructor(root) {
    this.root = root;
    this.data = { points: [], groups: [] };
    this.way = "group";
    this.canvas = root.querySelector("[data-map-canvas]");
    this.view = new MapView(this.canvas);
    this.gestures = new Gestures(this.view, {
      hover: (index, x, y) => this.hover(index, [x, y]),
      tap: (index, event) => this.tap(index, event),
      lasso: (line, isMore) => this.select(this.view.inside(line), isMore),
      moved: () => this.card.hide(),
    });
    this.card = new Card(root, (index) => { this.toggle(index); this.hold(index); });
    this.legend = new Legend(root, () => this.refocus());
    new Search(root, { data: () => this.data, onChoose: (found) => this.flyTo(found) });
    this.actions = new Actions(root, {
      selected: () => this.data.points.filter((_, i) => this.view.selected[i]),
      entries: () => coloured(this.data, "group", "").entries.filter(({ key }) => key !== NONE),
      clear: () => this.select([]),
    });
    this.initControls();
    onChanged(() => this.reload());
  }

  part(name) { return this.root.querySelector(`[data-${name}]`); }

  initControls() {
    this.root.addEventListener("change", (event) => { if (event.target.name === "colour") this.colour(event.target.value); });
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.view.zoomAt(this.view.width / 2, this.view.height / 2, Number(button.dataset.zoom)));
    }
    this.part("fit").addEventListener("click", () => this.view.flyHome());
    this.part("lasso").addEventListener("click", () => this.setLasso(!this.gestures.isLassoing));
    this.part("select-focus").addEventListener("click", () => this.select(this.focused()));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const isTyping = event.target.closest("input:not([type=radio]), select, textarea, dialog");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const mayEdit = this.root.dataset.mayEdit !== undefined;
    if (event.key === "Escape") {
      if (this.card.held >= 0) this.card.hide();
      else this.select([]);
    } else if (event.key === "l") this.setLasso(!this.gestures.isLassoing);
    else if (mayEdit && event.key === "m") this.actions.start("move");
    else if (mayEdit && event.key === "n") this.actions.start("new");
    else if (mayEdit && event.key === "x") this.actions.start("reject");
    else if (mayEdit && event.key === "u") undo();
    else return;
    event.preventDefault();
  }

  // Data

  async reload() {
    const selected = new Set(this.data.points.filter((_, i) => this.view.selected[i]).map((point) => point.image));
    try {
      this.data = await load(this.root.dataset.run);
    } catch {
      this.part("map-loading").textContent = "The map could not be loaded. Reload the page to try again.";
      return;
    }
    const isFirst = this.view.count === 0;
    const [xs, ys] = places(this.data);
    this.view.setPlaces(xs, ys, (i) => `/api/images/${this.data.points[i].image}/thumbnail/?size=128`);
    this.data.points.forEach((point, i) => { this.view.selected[i] = selected.has(point.image) ? 1 : 0; });
    this.view.hovered = -1;
    this.card.hide();
    this.colour(this.way);
    this.actions.refresh();
    this.tellUnplaced();
    if (isFirst) this.view.fit();
    this.part("map-loading").hidden = true;
    this.root.dataset.ready = this.data.points.length;
  }

  tellUnplaced() {
    const { unplaced } = this.data;
    this.part("map-unplaced").hidden = !unplaced;
    this.part("unplaced-text").textContent = `${unplaced.toLocaleString("en")} picture${unplaced === 1 ? " has" : "s have"} no place on this map yet.`;
    this.part("unplaced-them").textContent = unplaced === 1 ? "it" : "them";
  }

  colour(way) {
    this.way = way;
    const { grey } = themeOf(this.canvas);
    this.colouring = coloured(this.data, way, grey);
    this.view.setStyles(this.colouring.entries, this.colouring.styleOf);
    this.legend.show(this.colouring.entries, TITLES[way]);
    this.refocus();
  }

  refocus() {
    const { entries, styleOf } = this.colouring;
    const { focus } = this.legend;
    styleOf.forEach((style, i) => { this.view.dimmed[i] = focus.size && !focus.has(entries[style].key) ? 1 : 0; });
    const hasNames = this.way === "group" || this.way === "run";
    this.view.titles = hasNames ? titles(this.data, this.colouring, focus) : [];
    this.part("focus-actions").hidden = focus.size === 0;
    this.part("select-focus").textContent = `Select these ${this.focused().length.toLocaleString("en")}`;
    this.view.redraw();
  }

  focused() {
    const { entries, styleOf } = this.colouring;
    return this.data.points.flatMap((_, i) => (this.legend.focus.has(entries[styleOf[i]].key) ? [i] : []));
  }

  flyTo({ label, index }) {
    if (index !== undefined) {
      this.view.flyTo([index]);
      this.view.hovered = index;
      setTimeout(() => this.hold(index), 360); // when the flight has ended
      return;
    }
    if (this.way !== "group") this.root.querySelector('input[name="colour"][value="group"]').click();
    this.legend.setFocus([label]);
    this.view.flyTo(this.focused());
  }

  // Selecting and looking

  setLasso(isOn) {
    this.gestures.isLassoing = isOn;
    this.part("lasso").setAttribute("aria-pressed", String(isOn));
    this.canvas.classList.toggle("is-lassoing", isOn);
    announce(isOn ? "Lasso on: draw around pictures" : "Lasso off");
  }

  select(indices, isMore = false) {
    if (!isMore) this.view.selected.fill(0);
    for (const i of indices) this.view.selected[i] = 1;
    this.afterSelection();
  }

  toggle(index) {
    this.view.selected[index] ^= 1;
    this.afterSelection();
  }

  afterSelection() {
    this.card.hide();
    this.view.redraw();
    this.actions.refresh();
    const count = this.view.selected.reduce((sum, is) => sum + is, 0);
    announce(count ? `${count} selected` : "Nothing selected");
  }

  titleOf({ group_label: label }) {
    return label === null ? "In no group" : this.data.groups.find((group) => group.label === label)?.title ?? "";
  }

  showCard(index, place, isHeld) {
    const point = this.data.points[index];
    this.card.show(index, point, { place, title: this.titleOf(point), isSelected: this.view.selected[index] === 1, isHeld });
  }

  hover(index, place) {
    if (this.view.hovered !== index) {
      this.view.hovered = index;
      this.view.redraw();
      this.canvas.classList.toggle("is-over", index >= 0);
    }
    if (this.card.held >= 0) return;
    if (index >= 0 && !this.gestures.isLassoing) this.showCard(index, place, false);
    else this.card.hide();
  }

  hold(index) {
    this.showCard(index, this.view.toScreen(this.view.xs[index], this.view.ys[index]), true);
    announce(`${this.data.points[index].name}, ${this.titleOf(this.data.points[index])}`);
  }

  tap(index, event) {
    const isChoosing = this.gestures.isLassoing || event.ctrlKey || event.metaKey || event.shiftKey;
    if (index < 0) this.card.hide();
    else if (isChoosing) this.toggle(index);
    else this.hold(index);
    this.view.hovered = index;
    this.view.redraw();
  }
}

const root = document.querySelector("[data-map]");
const map = new BatchMap(root);
map.reload();
