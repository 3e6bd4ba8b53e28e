// Images are dragged with mouse, pen or finger (after a long press) onto a group.
import { make } from "../base/html.js";

const FAR_PX = 6;
const LONG_PRESS_MS = 350;
const EDGE_PX = 70;

export class Drag {
  /** `grab(tile)` answers the tiles that go along with this one; `drop(target, tiles)` puts them there. */
  constructor(root, { grab, drop }) {
    Object.assign(this, { root, grab, drop, start: null, ghost: null, over: null });
    root.addEventListener("pointerdown", (event) => this.down(event));
    document.addEventListener("pointermove", (event) => this.moved(event));
    document.addEventListener("pointerup", (event) => this.up(event));
    document.addEventListener("pointercancel", () => this.end());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.ghost) this.end(); }, true);
    root.addEventListener("dragstart", (event) => { if (event.target.closest(".pic")) event.preventDefault(); });
    root.addEventListener("contextmenu", (event) => {
      if (this.isTouch && event.target.closest(".pic")) event.preventDefault();
    });
    root.addEventListener("touchmove", (event) => { if (this.ghost) event.preventDefault(); }, { passive: false });
    root.addEventListener("click", (event) => this.swallow(event), true);
  }

  down(event) {
    const tile = event.target.closest(".pic");
    if (!tile || event.button !== 0 || event.target.closest(".pic-check")) return;
    this.isTouch = event.pointerType === "touch";
    this.start = { tile, x: event.clientX, y: event.clientY };
    clearTimeout(this.pressing);
    if (this.isTouch) this.pressing = setTimeout(() => this.begin(), LONG_PRESS_MS);
  }

  moved(event) {
    if (!this.start) return;
    const far = Math.hypot(event.clientX - this.start.x, event.clientY - this.start.y) > FAR_PX;
    if (!this.ghost) {
      if (!far) return;
      if (this.isTouch) return this.end(); // it is a scroll
      this.begin();
    }
    this.at = { x: event.clientX, y: event.clientY };
    this.place();
  }

  begin() {
    if (!this.start) return;
    this.carried = this.grab(this.start.tile);
    this.at = { x: this.start.x, y: this.start.y };
    const image = make("img", { src: this.start.tile.querySelector("img").currentSrc, alt: "" });
    this.label = make("span");
    this.ghost = make("div", { className: "drag-ghost" }, image, make("b", {}, this.carried.length), this.label);
    document.body.append(this.ghost);
    this.root.classList.add("is-dragging");
    for (const tile of this.carried) tile.classList.add("carried");
    navigator.vibrate?.(10);
    this.scrolling = setInterval(() => this.scroll(), 16);
    this.place();
  }

  place() {
    this.ghost.style.transform = `translate(${this.at.x + 12}px, ${this.at.y + 12}px)`;
    const under = document.elementFromPoint(this.at.x, this.at.y);
    const target = under?.closest("[data-drop], [data-drop-new]") ?? null;
    if (target === this.over) return;
    this.over?.classList.remove("is-over");
    this.over = target;
    target?.classList.add("is-over");
    this.label.textContent = target ? `to ${target.dataset.title}` : "";
  }

  scroll() {
    const { y } = this.at;
    if (y < EDGE_PX) window.scrollBy(0, (y - EDGE_PX) / 4);
    else if (y > innerHeight - EDGE_PX) window.scrollBy(0, (y - innerHeight + EDGE_PX) / 4);
    else return;
    this.place();
  }

  up(event) {
    clearTimeout(this.pressing);
    const { over, carried, ghost } = this;
    if (ghost) {
      this.wasDragged = true; // the click that follows does not count
      setTimeout(() => { this.wasDragged = false; }, 50);
    }
    this.end();
    if (ghost && over && event.type === "pointerup") this.drop(over, carried);
  }

  end() {
    clearTimeout(this.pressing);
    clearInterval(this.scrolling);
    this.ghost?.remove();
    this.over?.classList.remove("is-over");
    for (const tile of this.carried ?? []) tile.classList.remove("carried");
    this.root.classList.remove("is-dragging");
    Object.assign(this, { start: null, ghost: null, over: null, carried: null });
  }

  swallow(event) {
    if (!this.wasDragged) return;
    this.wasDragged = false;
    event.preventDefault();
    event.stopPropagation();
  }
}
