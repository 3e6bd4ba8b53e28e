// The drawing of the map: a camera over a plane, points as small stamps, pictures instead of them from near.

import { Raster, stamp } from "./map_raster.js";

const PICTURES_UNTIL = 90; // so many points in sight are shown as pictures
const PICTURES_FROM = 1.6; // and only from so near
const PICTURE_SIDE = 54;
const FLY_MS = 320;
const MARGIN = 40;

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Colours that the style sheet gives the canvas, resolved for the theme. */
export function themeOf(canvas) {
  const style = getComputedStyle(canvas);
  return { ink: style.color, paper: style.backgroundColor, accent: style.textDecorationColor, grey: style.caretColor };
}

export class MapView {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.camera = { x: 0, y: 0, scale: 1 };
    this.xs = this.ys = this.px = this.py = new Float32Array(0);
    this.styles = [];
    this.styleOf = this.dimmed = this.selected = new Uint8Array(0);
    this.titles = [];
    this.lasso = null;
    this.hovered = -1;
    this.stamps = []; // of marks, by style and layer
    this.signs = new Map(); // bitmaps of the groups' names
    this.pictures = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.resize();
  }

  get count() { return this.xs.length; }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const wasEmpty = !this.width;
    [this.width, this.height, this.ratio] = [clientWidth, clientHeight, ratio];
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    if (!this.canvas.width || !this.canvas.height) return;
    this.raster = new Raster(this.context, this.canvas.width, this.canvas.height);
    this.restyle();
    if (wasEmpty && this.count) this.fit();
  }

  restyle() {
    this.theme = themeOf(this.canvas);
    this.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    this.signs.clear();
    this.stamps = [];
    this.redraw();
  }

  /** Places in the plane; `urlOf` gives the address of a point's picture. */
  setPlaces(xs, ys, urlOf) {
    [this.xs, this.ys, this.urlOf] = [xs, ys, urlOf];
    [this.px, this.py] = [new Float32Array(xs.length), new Float32Array(xs.length)];
    this.dimmed = new Uint8Array(xs.length);
    this.selected = new Uint8Array(xs.length);
    this.redraw();
  }

  /** `styles`: { colour, shape }; `styleOf`: the place of each point's style. */
  setStyles(styles, styleOf) {
    [this.styles, this.styleOf] = [styles, styleOf];
    this.stamps = [];
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

  _around(indices, least) {
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
    this.camera = this._around(this.xs.keys(), 1e-6);
    this.fitted = this.camera.scale;
    this.redraw();
  }

  flyHome() { this._fly(this._around(this.xs.keys(), 1e-6)); }

  /** Bring points into sight, not nearer than an eighth of the whole. */
  flyTo(indices) {
    if (indices.length) this._fly(this._around(indices, this.width / this.fitted / 10));
  }

  _fly(target) {
    if (isCalm()) { this.camera = target; this.redraw(); return; }
    this.flight = { from: { ...this.camera }, target, start: performance.now() };
    this.redraw();
  }

  _advance(now) {
    const { from, target, start } = this.flight;
    const t = Math.min(1, (now - start) / FLY_MS);
    const eased = 1 - (1 - t) ** 3;
    const scale = from.scale * (target.scale / from.scale) ** eased;
    this.camera = { x: from.x + (target.x - from.x) * eased, y: from.y + (target.y - from.y) * eased, scale };
    if (t === 1) this.flight = null;
    else this.redraw();
  }

  // Drawing

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      if (this.flight) this._advance(now);
      this._draw();
    });
  }

  /** The mark of a style in one of three layers: dimmed, as usual, selected. */
  _stamp(style, layer) {
    const { colour, shape } = this.styles[style];
    const { ratio, theme } = this;
    const isSelected = layer === 2;
    const line = { line: isSelected ? theme.ink : theme.paper, lineWidth: (isSelected ? 2.5 : 1) * ratio };
    this.stamps[style * 3 + layer] = stamp({ colour, shape, radius: this.radius * ratio, isDimmed: layer === 0, ...line });
    return this.stamps[style * 3 + layer];
  }

  _draw() {
    const { context, width, height, ratio } = this;
    if (!width || !height) return;
    const zoom = this.fitted ? this.camera.scale / this.fitted : 1;
    const radius = Math.min(9, (this.count > 2000 ? 3 : 4.5) * Math.max(1, zoom ** 0.35));
    if (Math.abs(radius - (this.radius ?? 0)) > 0.4) { this.radius = radius; this.stamps = []; }
    const visible = this._visible();
    this.hasPictures = visible.length <= PICTURES_UNTIL && zoom >= PICTURES_FROM;
    this._drawPoints(visible);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.hasPictures) this._drawPictures(visible);
    this._drawTitles();
    this._drawHovered();
    if (this.lasso) this._drawLasso();
  }

  /** The points in sight; `px` and `py` are their places then. No objects: this runs for every frame. */
  _visible() {
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

  _drawPoints(visible) {
    const layers = [[], [], []]; // dimmed ones below, selected ones on top
    for (const i of visible) layers[this.dimmed[i] ? 0 : 1 + this.selected[i]].push(i);
    this.raster.clear();
    layers.forEach((layer, place) => {
      for (const i of layer) {
        const style = this.styleOf[i];
        const mark = this.stamps[style * 3 + place] ?? this._stamp(style, place);
        this.raster.put(mark, this.px[i] * this.ratio, this.py[i] * this.ratio);
      }
    });
    this.raster.show();
  }

  _picture(i) {
    const url = this.urlOf(i);
    if (!this.pictures.has(url)) {
      const picture = new Image();
      picture.decoding = "async";
      picture.addEventListener("load", () => this.redraw());
      picture.src = url;
      this.pictures.set(url, picture);
    }
    const picture = this.pictures.get(url);
    return picture.complete && picture.naturalWidth ? picture : null;
  }

  _drawPictures(visible) {
    const { context } = this;
    for (const i of visible) {
      const picture = this._picture(i);
      if (!picture) continue;
      const [px, py] = this.toScreen(this.xs[i], this.ys[i]);
      const factor = PICTURE_SIDE / Math.max(picture.naturalWidth, picture.naturalHeight);
      const [w, h] = [picture.naturalWidth * factor, picture.naturalHeight * factor];
      context.globalAlpha = this.dimmed[i] ? 0.2 : 1;
      context.fillStyle = this.selected[i] ? this.theme.ink : this.styles[this.styleOf[i]].colour;
      const frame = this.selected[i] ? 4 : 2.5;
      context.fillRect(px - w / 2 - frame, py - h / 2 - frame, w + 2 * frame, h + 2 * frame);
      context.drawImage(picture, px - w / 2, py - h / 2, w, h);
    }
    context.globalAlpha = 1;
  }

  _sign(text) {
    if (this.signs.has(text)) return this.signs.get(text);
    const measure = new OffscreenCanvas(1, 1).getContext("2d");
    measure.font = this.font;
    const width = Math.ceil(measure.measureText(text).width) + 12;
    const sign = new OffscreenCanvas(Math.ceil(width * this.ratio), 20 * this.ratio);
    const context = sign.getContext("2d");
    context.scale(this.ratio, this.ratio);
    Object.assign(context, { font: this.font, textAlign: "center", lineJoin: "round", lineWidth: 4 });
    Object.assign(context, { strokeStyle: this.theme.paper, fillStyle: this.theme.ink });
    context.strokeText(text, width / 2, 14);
    context.fillText(text, width / 2, 14);
    this.signs.set(text, { bitmap: sign.transferToImageBitmap(), width });
    return this.signs.get(text);
  }

  /** Names of groups, the largest first, each where it does not lie over another. */
  _drawTitles() {
    const taken = [];
    for (const { text, x, y, isDimmed } of this.titles) {
      if (isDimmed) continue;
      const { bitmap, width } = this._sign(text);
      const [px, bottom] = this.toScreen(x, y);
      const py = bottom - (this.hasPictures ? PICTURE_SIDE / 2 : this.radius) - 12;
      const box = [px - width / 2, py - 10, px + width / 2, py + 10];
      const isOut = box[0] < 0 || box[1] < 0 || box[2] > this.width || box[3] > this.height;
      if (isOut || taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3])) continue;
      taken.push(box);
      this.context.drawImage(bitmap, box[0], box[1], width, 20);
    }
  }

  _drawHovered() {
    if (this.hovered < 0) return;
    const [px, py] = this.toScreen(this.xs[this.hovered], this.ys[this.hovered]);
    this.context.strokeStyle = this.theme.accent;
    this.context.lineWidth = 2.5;
    this.context.beginPath();
    this.context.arc(px, py, this.hasPictures ? PICTURE_SIDE * 0.66 : this.radius + 4, 0, 2 * Math.PI);
    this.context.stroke();
  }

  _drawLasso() {
    const { context } = this;
    context.beginPath();
    for (const [px, py] of this.lasso) context.lineTo(px, py);
    context.closePath();
    context.strokeStyle = context.fillStyle = this.theme.accent;
    context.globalAlpha = 0.14;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  // What lies where

  /** The point under a place of the canvas, or −1. */
  hit(px, py, reach = 8) {
    const near = this.hasPictures ? PICTURE_SIDE / 2 : this.radius + reach;
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
