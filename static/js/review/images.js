// The images of the page: which one has the focus, which are selected, where the arrow keys lead.
import { announce } from "../base/notices.js";

const AREAS = ".strips, .pictures, .review-side";
const CONTAINERS = ".strip-row, .pictures, .suggestions, .plain-pictures";

export const idOf = (tile) => tile.dataset.image;

export class Images {
  constructor(root, { onOpen, onSelect }) {
    this.root = root;
    this.onOpen = onOpen;
    this.onSelect = onSelect;
    this.current = null; // the tile that had the focus last
    this.anchor = null; // where a range begins
    this.canSelect = "mayEdit" in root.dataset;
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("dblclick", (event) => {
      const tile = event.target.closest(".pic");
      if (tile) this.onOpen(tile);
    });
    root.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".pic");
      if (tile) this.setCurrent(tile);
    });
    root.addEventListener("change", (event) => { if (event.target.name === "image") this.refresh(); });
    this.rove();
  }

  get all() { return Array.from(this.root.querySelectorAll(".pic")); }
  get selected() { return this.all.filter((tile) => isSelected(tile)); }

  /** What an act is about: the selected images, or else the one with the focus. */
  get chosen() {
    const { selected } = this;
    if (selected.length) return selected;
    return this.current?.isConnected ? [this.current] : [];
  }

  setCurrent(tile) {
    this.current?.classList.remove("current");
    this.current = tile;
    tile.classList.add("current");
    const container = tile.closest(CONTAINERS);
    for (const link of container?.querySelectorAll(".pic-link[tabindex='0']") ?? []) link.tabIndex = -1;
    tile.querySelector(".pic-link").tabIndex = 0;
    this.onSelect(this);
  }

  focus(tile) {
    if (!tile) return;
    tile.querySelector(".pic-link").focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Each row is one stop of the Tab key; the arrows go on from there. */
  rove() {
    for (const container of this.root.querySelectorAll(CONTAINERS)) {
      const links = Array.from(container.querySelectorAll(".pic-link"));
      const kept = links.find((link) => link.getAttribute("tabindex") === "0") ?? links[0];
      for (const link of links) link.tabIndex = link === kept ? 0 : -1;
      for (const box of container.querySelectorAll(".pic-check input")) box.tabIndex = -1;
    }
  }

  clicked(event) {
    const link = event.target.closest(".pic-link");
    const box = event.target.closest('input[name="image"]');
    const tile = event.target.closest(".pic");
    if (box) return this.ticked(event, tile);
    if (!link || !tile) return undefined;
    event.preventDefault();
    this.focus(tile);
    if (!this.canSelect) return this.onOpen(tile);
    if (event.shiftKey && this.anchor?.isConnected) return this.range(tile);
    if (event.ctrlKey || event.metaKey || event.pointerType === "touch") return this.toggle(tile);
    return this.only(tile);
  }

  ticked(event, tile) {
    if (event.shiftKey && this.anchor?.isConnected) this.range(tile);
    else this.anchor = tile;
    this.setCurrent(tile);
  }

  only(tile) {
    for (const other of this.selected) set(other, false);
    set(tile, true);
    this.anchor = tile;
    this.refresh();
  }

  toggle(tile) {
    if (!tile) return;
    set(tile, !isSelected(tile));
    this.anchor = tile;
    this.refresh();
  }

  range(tile) {
    const { all } = this;
    const [from, to] = [all.indexOf(this.anchor), all.indexOf(tile)].sort((a, b) => a - b);
    for (const other of all.slice(Math.max(0, from), to + 1)) set(other, true);
    this.refresh();
  }

  selectAll() {
    const area = this.current?.closest(".strip, .pictures, .review-side") ?? this.root;
    for (const tile of area.querySelectorAll(".pic")) set(tile, true);
    this.refresh();
  }

  clear() {
    for (const tile of this.selected) set(tile, false);
    this.refresh();
  }

  refresh() {
    const count = this.selected.length;
    const counter = this.root.querySelector("[data-selected-count]");
    if (counter) counter.textContent = `${count} selected`;
    if (count) announce(`${count} selected`);
    this.onSelect(this);
  }

  /** The image in this direction, by where it is on the screen. */
  towards(key) {
    const from = this.current?.isConnected ? this.current : null;
    if (!from) return this.all[0] ?? null;
    const near = Array.from(from.closest(AREAS)?.querySelectorAll(".pic") ?? []);
    const at = near.indexOf(from);
    if (key === "ArrowRight") return near[at + 1] ?? null;
    if (key === "ArrowLeft") return near[at - 1] ?? null;
    const here = from.getBoundingClientRect();
    const sign = key === "ArrowDown" ? 1 : -1;
    let best = null;
    let least = Infinity;
    for (const tile of near) {
      const there = tile.getBoundingClientRect();
      const down = sign * (there.top - here.top);
      if (down < here.height / 2) continue;
      const cost = down * 20 + Math.abs(there.left - here.left);
      if (cost < least) [best, least] = [tile, cost];
    }
    return best;
  }

  go(key, isExtending) {
    const next = this.towards(key);
    if (!next) return;
    if (isExtending && this.canSelect) {
      if (this.current?.isConnected) set(this.current, true);
      set(next, true);
      this.refresh();
    }
    this.focus(next);
  }

  /** Do something to the page and give the focus to the image that follows when the focused one is gone. */
  keepingFocus(change) {
    const { all } = this;
    const hadFocus = this.root.contains(document.activeElement) || document.activeElement === document.body;
    const at = all.indexOf(this.current);
    const order = at < 0 ? [] : [...all.slice(at), ...all.slice(0, at).reverse()].map(idOf);
    const isIn = new Set(this.selected.map(idOf));
    change();
    this.rove();
    for (const tile of this.all) if (isIn.has(idOf(tile))) set(tile, true);
    const next = order.map((id) => this.find(id)).find(Boolean);
    const isLost = !document.activeElement || document.activeElement === document.body;
    if (next && hadFocus && isLost) this.focus(next);
    else if (next) this.setCurrent(next); // its tile may be a new one
    this.refresh();
  }

  find(id) { return this.root.querySelector(`.pic[data-image="${CSS.escape(id)}"]`); }
}

export function isSelected(tile) {
  return tile.querySelector('input[name="image"]')?.checked ?? false;
}

function set(tile, isOn) {
  const box = tile.querySelector('input[name="image"]');
  if (box) box.checked = isOn;
}
