// The map of a batch: every image as a point, to be looked at, lassoed and sorted.
import { onKeys } from "./base/keys.js";
import { announce } from "./base/notices.js";
import { number, plural } from "./base/text.js";
import { onChanged, undo } from "./batches/api.js";
import { Actions } from "./map/actions.js";
import { coloured, load, NONE, places, TITLES, titles } from "./map/data.js";
import { Gestures } from "./map/gestures.js";
import { Card, initSearch, Legend } from "./map/panel.js";
import { MapView, themeOf } from "./map/view.js";

const FLIGHT_ENDED_MS = 360;

class BatchMap {
  constructor(root) {
    this.root = root;
    this.data = { points: [], groups: [] };
    this.way = "group";
    this.canvas = root.querySelector("[data-map-canvas]");
    this.view = new MapView(this.canvas);
    this.points = this.view.points;
    this.gestures = new Gestures(this.view, {
      hover: (index, x, y) => this.hover(index, [x, y]),
      tap: (index, event) => this.tap(index, event),
      lasso: (line, isMore) => this.select(this.points.inside(line, this.view.camera), isMore),
      moved: () => this.card.hide(),
    });
    this.card = new Card(root, (index) => { this.toggle(index); this.hold(index); });
    this.legend = new Legend(root, () => this.refocus());
    initSearch(root, { data: () => this.data, onChoose: (found) => this.flyTo(found) });
    this.actions = new Actions(root, {
      selected: () => this.points.selection.map((i) => this.data.points[i]),
      groups: () => coloured(this.data, "group", "").entries.filter(({ key }) => key !== NONE),
      clear: () => this.select([]),
    });
    this.initControls();
    this.initKeys();
    onChanged(() => this.reload());
  }

  part(name) { return this.root.querySelector(`[data-${name}]`); }

  initControls() {
    this.root.addEventListener("change", (event) => {
      if (event.target.name === "colour") this.colour(event.target.value);
    });
    const { camera } = this.view;
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => camera.zoomAt(...camera.middle, Number(button.dataset.zoom)));
    }
    this.part("fit").addEventListener("click", () => this.view.flyHome());
    this.part("lasso").addEventListener("click", () => this.toggleLasso());
    this.part("select-focus").addEventListener("click", () => this.select(this.focused()));
  }

  initKeys() {
    const editing = {
      m: () => this.actions.start("move"),
      n: () => this.actions.start("create"),
      x: () => this.actions.start("reject"),
      u: () => { undo(); },
    };
    const mayEdit = this.root.dataset.mayEdit !== undefined;
    onKeys({ Escape: () => this.clear(), l: () => this.toggleLasso(), ...(mayEdit ? editing : {}) });
  }

  clear() {
    if (this.card.held >= 0) this.card.hide();
    else this.select([]);
  }

  // Data

  async reload() {
    const selected = new Set(this.points.selection.map((i) => this.data.points[i].image));
    const data = await load(this.root.dataset.run);
    if (data === null) {
      this.part("map-loading").textContent = "The map could not be loaded. Reload the page to try again.";
      return;
    }
    this.data = data;
    const isFirst = this.points.count === 0;
    const [xs, ys] = places(data);
    this.view.setPlaces(xs, ys, (i) => `/api/images/${data.points[i].image}/thumbnail/?size=128`);
    data.points.forEach((point, i) => { this.points.selected[i] = selected.has(point.image) ? 1 : 0; });
    this.view.hovered = -1;
    this.card.hide();
    this.colour(this.way);
    this.actions.refresh();
    this.showUnplaced();
    if (isFirst) this.view.fit();
    this.part("map-loading").hidden = true;
    this.root.dataset.ready = data.points.length;
  }

  showUnplaced() {
    const { unplaced } = this.data;
    this.part("map-unplaced").hidden = !unplaced;
    const images = plural(unplaced, "image has", "images have");
    this.part("unplaced-text").textContent = `${images} no place on this map yet.`;
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
    this.points.dim((i) => focus.size > 0 && !focus.has(entries[styleOf[i]].key));
    const hasNames = this.way === "group" || this.way === "run";
    this.view.titles = hasNames ? titles(this.data, this.colouring, focus) : [];
    this.part("focus-actions").hidden = focus.size === 0;
    this.part("select-focus").textContent = `Select these ${number(this.focused().length)}`;
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
      setTimeout(() => this.hold(index), FLIGHT_ENDED_MS);
      return;
    }
    if (this.way !== "group") this.root.querySelector('input[name="colour"][value="group"]').click();
    this.legend.setFocus([label]);
    this.view.flyTo(this.focused());
  }

  // Selecting and looking

  toggleLasso() {
    const isOn = !this.gestures.isLassoing;
    this.gestures.isLassoing = isOn;
    this.part("lasso").setAttribute("aria-pressed", String(isOn));
    this.canvas.classList.toggle("is-lassoing", isOn);
    announce(isOn ? "Lasso on: draw around images" : "Lasso off");
  }

  select(indices, isMore = false) {
    if (!isMore) this.points.selected.fill(0);
    for (const i of indices) this.points.selected[i] = 1;
    this.afterSelection();
  }

  toggle(index) {
    this.points.selected[index] ^= 1;
    this.afterSelection();
  }

  afterSelection() {
    this.card.hide();
    this.view.redraw();
    this.actions.refresh();
    const count = this.points.selection.length;
    announce(count ? `${count} selected` : "Nothing selected");
  }

  titleOf({ group_label: label }) {
    return label === null ? "Unassigned" : this.data.groups.find((group) => group.label === label)?.title ?? "";
  }

  showCard(index, place, isHeld) {
    const point = this.data.points[index];
    const isSelected = this.points.selected[index] === 1;
    this.card.show(index, point, { place, title: this.titleOf(point), isSelected, isHeld });
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
    this.showCard(index, this.view.camera.toScreen(this.points.xs[index], this.points.ys[index]), true);
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
