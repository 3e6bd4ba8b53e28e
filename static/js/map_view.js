// The drawing of the map: points as small stamps, pictures instead of them from near, names of groups.

import { Plane } from "./map_plane.js";
import { Raster, stamp } from "./map_raster.js";
import { Signs } from "./map_signs.js";

const PICTURES_UNTIL = 90; // so many points in sight are shown as pictures
const PICTURES_FROM = 1.6; // and only from so near
const PICTURE_SIDE = 54;

/** Colours that the style sheet gives the canvas, resolved for the theme. */
export function themeOf(canvas) {
  const style = getComputedStyle(canvas);
  return { ink: style.color, paper: style.backgroundColor, accent: style.textDecorationColor, grey: style.caretColor };
}

export class MapView extends Plane {
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.styles = [];
    this.styleOf = new Uint8Array(0);
    this.titles = [];
    this.lasso = null;
    this.hovered = -1;
    this.stamps = []; // of marks, by style and layer
    this.signs = new Signs();
    this.pictures = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.resize();
  }

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
    const font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    this.signs.restyle({ ...this.theme, font, ratio: this.ratio });
    this.stamps = [];
    this.redraw();
  }

  /** Places in the plane; `urlOf` gives the address of a point's picture. */
  setPlaces(xs, ys, urlOf) {
    this.urlOf = urlOf;
    super.setPlaces(xs, ys);
  }

  /** `styles`: { colour, shape }; `styleOf`: the place of each point's style. */
  setStyles(styles, styleOf) {
    [this.styles, this.styleOf] = [styles, styleOf];
    this.stamps = [];
    this.redraw();
  }

  get pictureSide() { return PICTURE_SIDE; }

  // Drawing

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      if (this.flight) this.advance(now);
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
    const visible = this.inSight();
    this.hasPictures = visible.length <= PICTURES_UNTIL && zoom >= PICTURES_FROM;
    this._drawPoints(visible);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.hasPictures) this._drawPictures(visible);
    this._drawTitles();
    this._drawHovered();
    if (this.lasso) this._drawLasso();
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

  /** Names of groups, the largest first, each where it does not lie over another. */
  _drawTitles() {
    const lift = (this.hasPictures ? PICTURE_SIDE / 2 : this.radius) + 12;
    const wanted = this.titles.filter(({ isDimmed }) => !isDimmed).map(({ text, x, y }) => {
      const [px, py] = this.toScreen(x, y);
      return { text, x: px, y: py - lift };
    });
    this.signs.draw(this.context, wanted, this);
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
}
