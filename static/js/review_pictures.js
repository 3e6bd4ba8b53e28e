// The pictures of the page: which one has the focus, which are selected, how the arrows go among them.
import { announce } from "./page.js";

const AREAS = ".strips, .pictures, .review-side";
const CONTAINERS = ".strip-row, .pictures, .suggestions, .plain-pictures";

export const idOf = (picture) => picture.dataset.image;

export class Pictures {
  constructor(root, { onOpen, onSelect }) {
    this.root = root;
    this.onOpen = onOpen;
    this.onSelect = onSelect;
    this.current = null; // the picture that had the focus last
    this.anchor = null; // where a range begins
    this.canSelect = "mayEdit" in root.dataset;
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("dblclick", (event) => {
      const picture = event.target.closest(".pic");
      if (picture) this.onOpen(picture);
    });
    root.addEventListener("focusin", (event) => {
      const picture = event.target.closest(".pic");
      if (picture) this.setCurrent(picture);
    });
    root.addEventListener("change", (event) => { if (event.target.name === "image") this.refresh(); });
    this.rove();
  }

  get all() { return Array.from(this.root.querySelectorAll(".pic")); }
  get selected() { return this.all.filter((picture) => isSelected(picture)); }

  /** What an act is about: the selected pictures, or else the one with the focus. */
  get chosen() {
    const { selected } = this;
    if (selected.length) return selected;
    return this.current?.isConnected ? [this.current] : [];
  }

  setCurrent(picture) {
    this.current?.classList.remove("current");
    this.current = picture;
    picture.classList.add("current");
    const container = picture.closest(CONTAINERS);
    for (const link of container?.querySelectorAll(".pic-link[tabindex='0']") ?? []) link.tabIndex = -1;
    picture.querySelector(".pic-link").tabIndex = 0;
    this.onSelect(this);
  }

  focus(picture) {
    if (!picture) return;
    picture.querySelector(".pic-link").focus({ preventScroll: true });
    picture.scrollIntoView({ block: "nearest", inline: "nearest" });
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
    const picture = event.target.closest(".pic");
    if (box) return this.ticked(event, picture);
    if (!link || !picture) return undefined;
    event.preventDefault();
    this.focus(picture);
    if (!this.canSelect) return this.onOpen(picture);
    if (event.shiftKey && this.anchor?.isConnected) return this.range(picture);
    if (event.ctrlKey || event.metaKey || event.pointerType === "touch") return this.toggle(picture);
    return this.only(picture);
  }

  ticked(event, picture) {
    if (event.shiftKey && this.anchor?.isConnected) this.range(picture);
    else this.anchor = picture;
    this.setCurrent(picture);
  }

  only(picture) {
    for (const other of this.selected) set(other, false);
    set(picture, true);
    this.anchor = picture;
    this.refresh();
  }

  toggle(picture) {
    if (!picture) return;
    set(picture, !isSelected(picture));
    this.anchor = picture;
    this.refresh();
  }

  range(picture) {
    const { all } = this;
    const [from, to] = [all.indexOf(this.anchor), all.indexOf(picture)].sort((a, b) => a - b);
    for (const other of all.slice(Math.max(0, from), to + 1)) set(other, true);
    this.refresh();
  }

  selectAll() {
    const area = this.current?.closest(".strip, .pictures, .review-side") ?? this.root;
    for (const picture of area.querySelectorAll(".pic")) set(picture, true);
    this.refresh();
  }

  clear() {
    for (const picture of this.selected) set(picture, false);
    this.refresh();
  }

  refresh() {
    const count = this.selected.length;
    const told = this.root.querySelector("[data-selected-count]");
    if (told) told.textContent = `${count} selected`;
    if (count) announce(`${count} selected`);
    this.onSelect(this);
  }

  /** The picture in this direction, by where it is on the screen. */
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
    for (const picture of near) {
      const there = picture.getBoundingClientRect();
      const down = sign * (there.top - here.top);
      if (down < here.height / 2) continue;
      const cost = down * 20 + Math.abs(there.left - here.left);
      if (cost < least) [best, least] = [picture, cost];
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

  /** Do something to the page and give the focus to the picture that follows when the focused one is gone. */
  keepingFocus(change) {
    const { all } = this;
    const hadFocus = this.root.contains(document.activeElement) || document.activeElement === document.body;
    const at = all.indexOf(this.current);
    const order = at < 0 ? [] : [...all.slice(at), ...all.slice(0, at).reverse()].map(idOf);
    const isIn = new Set(this.selected.map(idOf));
    change();
    this.rove();
    for (const picture of this.all) if (isIn.has(idOf(picture))) set(picture, true);
    const next = order.map((id) => this.find(id)).find(Boolean);
    const isLost = !document.activeElement || document.activeElement === document.body;
    if (next && hadFocus && isLost) this.focus(next);
    else if (next && !this.current.isConnected) this.setCurrent(next); // its tile is new, and the focus elsewhere
    this.refresh();
  }

  find(id) { return this.root.querySelector(`.pic[data-image="${CSS.escape(id)}"]`); }
}

export function isSelected(picture) {
  return picture.querySelector('input[name="image"]')?.checked ?? false;
}

function set(picture, isOn) {
  const box = picture.querySelector('input[name="image"]');
  if (box) box.checked = isOn;
}
