// The plane of the map: where the points lie, the camera over it, and which points lie at a place of the canvas.

const FLY_MS = 320;
const MARGIN = 40;

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** `redraw` is of whoever draws it. `hasPictures`, `radius` and `pictureSide` say how large a point is shown. */
export class Plane {
  constructor() {
    this.camera = { x: 0, y: 0, scale: 1 };
    this.xs = this.ys = this.px = this.py = new Float32Array(0);
    this.dimmed = this.selected = new Uint8Array(0);
  }

  get count() { return this.xs.length; }

  /** Places in the plane. */
  setPlaces(xs, ys) {
    [this.xs, this.ys] = [xs, ys];
    [this.px, this.py] = [new Float32Array(xs.length), new Float32Array(xs.length)];
    this.dimmed = new Uint8Array(xs.length);
    this.selected = new Uint8Array(xs.length);
    this.redraw();
  }

  // The camera

  toScreen(x, y) {
    const { camera } = this;
    return [(x - camera.x) * camera.scale + this.width / 2, (camera.y - y) * camera.scale + this.height / 2];
  }

  panBy(dx, dy) {
    this.flight = null;
    this.camera.x -= dx / this.camera.scale;
    this.camera.y += dy / this.camera.scale;
    this.redraw();
  }

  zoomAt(px, py, factor) {
    this.flight = null;
    const { camera } = this;
    const scale = Math.min(this.fitted * 400, Math.max(this.fitted / 4, camera.scale * factor));
    const [dx, dy] = [px - this.width / 2, py - this.height / 2];
    camera.x += dx / camera.scale - dx / scale;
    camera.y -= dy / camera.scale - dy / scale;
    camera.scale = scale;
    this.redraw();
  }

  around(indices, least) {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const i of indices) {
      left = Math.min(left, this.xs[i]); right = Math.max(right, this.xs[i]);
      bottom = Math.min(bottom, this.ys[i]); top = Math.max(top, this.ys[i]);
    }
    const scale = Math.min(
      (this.width - 2 * MARGIN) / Math.max(right - left, least),
      (this.height - 2 * MARGIN) / Math.max(top - bottom, least),
    );
    return { x: (left + right) / 2, y: (bottom + top) / 2, scale };
  }

  fit() {
    if (!this.count) return;
    this.camera = this.around(this.xs.keys(), 1e-6);
    this.fitted = this.camera.scale;
    this.redraw();
  }

  flyHome() { this.fly(this.around(this.xs.keys(), 1e-6)); }

  /** Bring points into sight, not nearer than an eighth of the whole. */
  flyTo(indices) {
    if (indices.length) this.fly(this.around(indices, this.width / this.fitted / 10));
  }

  fly(target) {
    if (isCalm()) { this.camera = target; this.redraw(); return; }
    this.flight = { from: { ...this.camera }, target, start: performance.now() };
    this.redraw();
  }

  advance(now) {
    const { from, target, start } = this.flight;
    const t = Math.min(1, (now - start) / FLY_MS);
    const eased = 1 - (1 - t) ** 3;
    const scale = from.scale * (target.scale / from.scale) ** eased;
    this.camera = { x: from.x + (target.x - from.x) * eased, y: from.y + (target.y - from.y) * eased, scale };
    if (t === 1) this.flight = null;
    else this.redraw();
  }

  // What lies where

  /** The point under a place of the canvas, or −1. */
  hit(px, py, reach = 8) {
    const near = this.hasPictures ? this.pictureSide / 2 : this.radius + reach;
    let [best, least] = [-1, near * near];
    for (let i = 0; i < this.count; i += 1) {
      if (this.dimmed[i]) continue;
      const [x, y] = this.toScreen(this.xs[i], this.ys[i]);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance <= least) [best, least] = [i, distance];
    }
    return best;
  }

  /** The points inside of a line drawn on the canvas; dimmed ones are left alone. */
  inside(line) {
    const found = [];
    for (let i = 0; i < this.count; i += 1) {
      if (!this.dimmed[i] && isInside(line, this.toScreen(this.xs[i], this.ys[i]))) found.push(i);
    }
    return found;
  }

  /** The points in sight; `px` and `py` are their places then. No objects: this runs for every frame. */
  inSight() {
    const { xs, ys, px, py, width, height } = this;
    const { x, y, scale } = this.camera;
    const visible = [];
    for (let i = 0; i < xs.length; i += 1) {
      px[i] = (xs[i] - x) * scale + width / 2;
      py[i] = (y - ys[i]) * scale + height / 2;
      if (px[i] > -30 && py[i] > -30 && px[i] < width + 30 && py[i] < height + 30) visible.push(i);
    }
    return visible;
  }
}

/** Whether a place lies in a closed line: a ray to the right crosses it an odd number of times. */
export function isInside(line, [px, py]) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i, i += 1) {
    const [ax, ay] = line[i];
    const [bx, by] = line[j];
    if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
