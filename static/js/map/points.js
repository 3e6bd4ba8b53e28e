// The points of the map: where they lie in the plane, and which ones lie at a place.
import { quadtree } from "../../vendor/d3-quadtree.js";

const OUTSIDE_PX = 30; // so far outside of the canvas a point may still be seen

export class Points {
  constructor() { this.setPlaces(new Float32Array(0), new Float32Array(0)); }

  get count() { return this.xs.length; }

  setPlaces(xs, ys) {
    Object.assign(this, { xs, ys, tree: null });
    [this.px, this.py] = [new Float32Array(xs.length), new Float32Array(xs.length)]; // places on the canvas
    [this.dimmed, this.selected] = [new Uint8Array(xs.length), new Uint8Array(xs.length)];
  }

  /** Dim the points of which `isDimmed(i)`: they are drawn faintly, and no pointer finds them. */
  dim(isDimmed) {
    for (let i = 0; i < this.count; i += 1) this.dimmed[i] = isDimmed(i) ? 1 : 0;
    this.tree = null;
  }

  get selection() { return [...this.selected.keys()].filter((i) => this.selected[i]); }

  box(indices = this.xs.keys()) {
    const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
    for (const i of indices) {
      box.left = Math.min(box.left, this.xs[i]);
      box.right = Math.max(box.right, this.xs[i]);
      box.bottom = Math.min(box.bottom, this.ys[i]);
      box.top = Math.max(box.top, this.ys[i]);
    }
    return box;
  }

  /** The point nearest to a place of the plane, or −1 when none is within `reach`. */
  nearest(x, y, reach) {
    this.tree ??= this.indexed();
    return this.tree.find(x, y, reach) ?? -1;
  }

  /** Built when a pointer first looks for a point: 50 000 take some 30 ms, and a look then microseconds. */
  indexed() {
    const tree = quadtree().x((i) => this.xs[i]).y((i) => this.ys[i]);
    return tree.addAll([...this.xs.keys()].filter((i) => !this.dimmed[i]));
  }

  /** The points inside a line drawn on the canvas; dimmed ones are left alone. */
  inside(line, camera) {
    const plane = line.map(([px, py]) => camera.toPlane(px, py));
    const found = [];
    for (let i = 0; i < this.count; i += 1) {
      if (!this.dimmed[i] && isInside(plane, this.xs[i], this.ys[i])) found.push(i);
    }
    return found;
  }

  /** The points in sight; `px` and `py` are their places then. No objects: this runs for every frame. */
  inSight({ x, y, scale, width, height }) {
    const { xs, ys, px, py } = this;
    const visible = [];
    for (let i = 0; i < xs.length; i += 1) {
      px[i] = (xs[i] - x) * scale + width / 2;
      py[i] = (y - ys[i]) * scale + height / 2;
      if (px[i] < -OUTSIDE_PX || px[i] > width + OUTSIDE_PX) continue;
      if (py[i] < -OUTSIDE_PX || py[i] > height + OUTSIDE_PX) continue;
      visible.push(i);
    }
    return visible;
  }
}

/** Whether a place lies in a closed line: a ray to the right crosses it an odd number of times. */
export function isInside(line, x, y) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i, i += 1) {
    const [ax, ay] = line[i];
    const [bx, by] = line[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
