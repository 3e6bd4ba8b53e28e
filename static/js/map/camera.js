// Which part of the plane is seen, and how near.
import { prefersReducedMotion } from "../base/html.js";

const FLIGHT_MS = 320;
const MARGIN_PX = 40;
const NEAREST = 400; // times the scale at which all points are seen
const FARTHEST = 1 / 4;

export class Camera {
  /** `onChange` is called after every move. `x`, `y`: the middle; `scale`: pixels to a unit of the plane. */
  constructor(onChange) {
    Object.assign(this, { onChange, x: 0, y: 0, scale: 1, width: 0, height: 0, fitted: 0, flight: null });
  }

  /** How near, 1 being where all points are seen. */
  get zoom() { return this.fitted ? this.scale / this.fitted : 1; }

  get middle() { return [this.width / 2, this.height / 2]; }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (this.y - y) * this.scale + this.height / 2];
  }

  toPlane(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, this.y - (py - this.height / 2) / this.scale];
  }

  panBy(dx, dy) {
    this.flight = null;
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.onChange();
  }

  /** The place of the canvas stays where it is. */
  zoomAt(px, py, factor) {
    this.flight = null;
    const [x, y] = this.toPlane(px, py);
    this.scale = Math.min(this.fitted * NEAREST, Math.max(this.fitted * FARTHEST, this.scale * factor));
    const [movedX, movedY] = this.toPlane(px, py);
    this.x += x - movedX;
    this.y += y - movedY;
    this.onChange();
  }

  /** Where a box of the plane fills the canvas; `least` is the smallest side that it is shown with. */
  around({ left, right, bottom, top }, least = 1e-6) {
    const scale = Math.min(
      (this.width - 2 * MARGIN_PX) / Math.max(right - left, least),
      (this.height - 2 * MARGIN_PX) / Math.max(top - bottom, least),
    );
    return { x: (left + right) / 2, y: (bottom + top) / 2, scale };
  }

  fit(box) {
    Object.assign(this, this.around(box));
    this.fitted = this.scale;
    this.onChange();
  }

  /** Go there in a short flight; `isNear`: not nearer than a tenth of the whole. */
  flyTo(box, { isNear = false } = {}) {
    const target = this.around(box, isNear ? this.width / this.fitted / 10 : undefined);
    if (prefersReducedMotion()) Object.assign(this, target);
    else this.flight = { from: { x: this.x, y: this.y, scale: this.scale }, target, start: performance.now() };
    this.onChange();
  }

  /** One frame of the flight. */
  advance(now) {
    if (!this.flight) return;
    const { from, target, start } = this.flight;
    const t = Math.min(1, (now - start) / FLIGHT_MS);
    const eased = 1 - (1 - t) ** 3;
    this.x = from.x + (target.x - from.x) * eased;
    this.y = from.y + (target.y - from.y) * eased;
    this.scale = from.scale * (target.scale / from.scale) ** eased;
    if (t === 1) this.flight = null;
    else this.onChange();
  }
}
