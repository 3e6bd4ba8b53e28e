// Mouse, fingers and keys on the map.
import { onKeys } from "../base/keys.js";

const STILL_PX = 5;
const STEP_PX = 70;

export class Gestures {
  /** `on`: hover(i, x, y), tap(i, x, y), lasso(points, isMore), moved(). */
  constructor(view, on) {
    [this.view, this.on] = [view, on];
    this.pointers = new Map();
    this.isLassoing = false; // the toggle; Shift does the same for one drag
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => { if (!this.pointers.size) on.hover(-1); });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.initKeys();
    canvas.addEventListener("contextmenu", (event) => { if (this.pointers.size) event.preventDefault(); });
  }

  place(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.button) return;
    this.view.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.pointers.set(event.pointerId, place);
    if (this.pointers.size === 1) {
      this.start = place;
      this.isStill = true;
      this.line = this.isLassoing || event.shiftKey ? [place] : null;
    } else {
      this.line = this.view.lasso = null; // a second finger zooms
      this.isStill = false;
      this.view.redraw();
    }
  }

  move(event) {
    const place = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") this.on.hover(this.view.hit(...place), ...place);
      return;
    }
    if (this.pointers.size > 1) {
      this.pinch(event.pointerId, place);
      return;
    }
    if (Math.hypot(place[0] - this.start[0], place[1] - this.start[1]) > STILL_PX) this.isStill = false;
    this.pointers.set(event.pointerId, place);
    if (this.line) {
      this.line.push(place);
      this.view.lasso = this.line;
      this.view.redraw();
    } else if (!this.isStill) {
      this.view.canvas.classList.add("is-moving");
      this.view.camera.panBy(place[0] - before[0], place[1] - before[1]);
      this.on.moved();
    }
  }

  pinch(id, place) {
    const before = this.pointers.get(id);
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, at]) => at);
    const [was, is] = [before, place].map((at) => Math.hypot(at[0] - other[0], at[1] - other[1]));
    this.pointers.set(id, place);
    const middle = (at) => [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    this.view.camera.panBy(middle(place)[0] - middle(before)[0], middle(place)[1] - middle(before)[1]);
    if (was > 0) this.view.camera.zoomAt(...middle(place), is / was);
    this.on.moved();
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    this.view.canvas.classList.remove("is-moving");
    if (this.pointers.size) {
      this.isStill = false;
      return;
    }
    const line = this.line;
    this.line = this.view.lasso = null;
    this.view.redraw();
    if (event.type === "pointercancel") return;
    if (this.isStill) this.on.tap(this.view.hit(...this.start, event.pointerType === "touch" ? 16 : 8), event);
    else if (line && line.length > 2) this.on.lasso(line, event.ctrlKey || event.metaKey);
  }

  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.view.camera.zoomAt(...this.place(event), Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0016)));
    this.on.moved();
  }

  initKeys() {
    const { camera, canvas } = this.view;
    const moves = {
      ArrowLeft: () => camera.panBy(STEP_PX, 0),
      ArrowRight: () => camera.panBy(-STEP_PX, 0),
      ArrowUp: () => camera.panBy(0, STEP_PX),
      ArrowDown: () => camera.panBy(0, -STEP_PX),
      "+": () => camera.zoomAt(...camera.middle, 1.4),
      "=": () => camera.zoomAt(...camera.middle, 1.4),
      "-": () => camera.zoomAt(...camera.middle, 1 / 1.4),
      0: () => this.view.flyHome(),
    };
    const table = Object.entries(moves).map(([key, move]) => [key, () => { move(); this.on.moved(); }]);
    onKeys(Object.fromEntries(table), { within: canvas });
  }
}
