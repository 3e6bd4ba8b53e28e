// The drawing of the map: points as small sprites, images instead of them from near, names of groups.
import { Camera } from "./camera.js";
import { Labels } from "./labels.js";
import { Points } from "./points.js";
import { makeSprite, Raster } from "./raster.js";

const IMAGES_UNTIL = 90; // so many points in sight are shown as images
const IMAGES_FROM = 1.6; // and only from so near
const IMAGE_SIDE = 54;
const [DIMMED, USUAL, SELECTED] = [0, 1, 2]; // layers: dimmed points below, selected ones on top

/** Colours that the style sheet gives the canvas, resolved for the theme. */
export function themeOf(canvas) {
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--map-${name}`);
  return { ink: colour("ink"), paper: colour("paper"), accent: colour("accent"), grey: colour("grey") };
}

export class MapView {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.camera = new Camera(() => this.redraw());
    this.points = new Points();
    this.styles = [];
    this.styleOf = new Uint8Array(0);
    this.titles = [];
    this.lasso = null;
    this.hovered = -1;
    this.sprites = []; // by style and layer
    this.labels = new Labels();
    this.images = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.resize();
  }

  resize() {
    const { canvas, camera } = this;
    const wasEmpty = !camera.width;
    this.ratio = window.devicePixelRatio || 1;
    [camera.width, camera.height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(camera.width * this.ratio);
    canvas.height = Math.round(camera.height * this.ratio);
    if (!canvas.width || !canvas.height) return;
    this.raster = new Raster(this.context, canvas.width, canvas.height);
    this.restyle();
    if (wasEmpty) this.fit();
  }

  restyle() {
    this.theme = themeOf(this.canvas);
    const font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    this.labels.restyle({ ...this.theme, font, ratio: this.ratio });
    this.sprites = [];
    this.redraw();
  }

  /** Places in the plane; `urlOf(i)` gives the address of a point's image. */
  setPlaces(xs, ys, urlOf) {
    this.urlOf = urlOf;
    this.points.setPlaces(xs, ys);
    this.redraw();
  }

  /** `styles`: { colour, shape }; `styleOf`: the place of each point's style. */
  setStyles(styles, styleOf) {
    [this.styles, this.styleOf] = [styles, styleOf];
    this.sprites = [];
    this.redraw();
  }

  fit() { if (this.points.count) this.camera.fit(this.points.box()); }
  flyHome() { if (this.points.count) this.camera.flyTo(this.points.box()); }
  flyTo(indices) { if (indices.length) this.camera.flyTo(this.points.box(indices), { isNear: true }); }

  /** The point under a place of the canvas, or −1; `reach` is how far off its mark the pointer may be. */
  hit(px, py, reach = 8) {
    const near = this.showsImages ? IMAGE_SIDE / 2 : this.radius + reach;
    return this.points.nearest(...this.camera.toPlane(px, py), near / this.camera.scale);
  }

  // Drawing

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => {
      this.waiting = false;
      this.camera.advance(now);
      this.draw();
    });
  }

  draw() {
    const { context, camera, points, ratio } = this;
    const { width, height, zoom } = camera;
    if (!width || !height) return;
    const radius = Math.min(9, (points.count > 2000 ? 3 : 4.5) * Math.max(1, zoom ** 0.35));
    if (Math.abs(radius - (this.radius ?? 0)) > 0.4) [this.radius, this.sprites] = [radius, []];
    const visible = points.inSight(camera);
    this.showsImages = visible.length <= IMAGES_UNTIL && zoom >= IMAGES_FROM;
    this.drawPoints(visible);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.showsImages) this.drawImages(visible);
    this.drawLabels();
    this.drawHovered();
    if (this.lasso) this.drawLasso();
  }

  spriteOf(style, layer) {
    const { ratio, theme, sprites } = this;
    const place = style * 3 + layer;
    sprites[place] ??= makeSprite({
      ...this.styles[style],
      radius: this.radius * ratio,
      line: layer === SELECTED ? theme.ink : theme.paper,
      lineWidth: (layer === SELECTED ? 2.5 : 1) * ratio,
      isDimmed: layer === DIMMED,
    });
    return sprites[place];
  }

  drawPoints(visible) {
    const { points, ratio, raster } = this;
    const layers = [[], [], []];
    for (const i of visible) layers[points.dimmed[i] ? DIMMED : points.selected[i] ? SELECTED : USUAL].push(i);
    raster.clear();
    layers.forEach((indices, layer) => {
      for (const i of indices) {
        raster.draw(this.spriteOf(this.styleOf[i], layer), points.px[i] * ratio, points.py[i] * ratio);
      }
    });
    raster.show();
  }

  /** The image of a point once it is loaded; null until then. */
  imageOf(i) {
    const url = this.urlOf(i);
    let image = this.images.get(url);
    if (!image) {
      image = new Image();
      image.decoding = "async";
      image.addEventListener("load", () => this.redraw());
      image.src = url;
      this.images.set(url, image);
    }
    return image.complete && image.naturalWidth ? image : null;
  }

  drawImages(visible) {
    const { context, points } = this;
    for (const i of visible) {
      const image = this.imageOf(i);
      if (!image) continue;
      const [px, py] = [points.px[i], points.py[i]];
      const factor = IMAGE_SIDE / Math.max(image.naturalWidth, image.naturalHeight);
      const [w, h] = [image.naturalWidth * factor, image.naturalHeight * factor];
      const frame = points.selected[i] ? 4 : 2.5;
      context.globalAlpha = points.dimmed[i] ? 0.2 : 1;
      context.fillStyle = points.selected[i] ? this.theme.ink : this.styles[this.styleOf[i]].colour;
      context.fillRect(px - w / 2 - frame, py - h / 2 - frame, w + 2 * frame, h + 2 * frame);
      context.drawImage(image, px - w / 2, py - h / 2, w, h);
    }
    context.globalAlpha = 1;
  }

  /** Names of groups, the largest first, each where it does not lie over another. */
  drawLabels() {
    const lift = (this.showsImages ? IMAGE_SIDE / 2 : this.radius) + 12;
    const shown = this.titles.filter(({ isDimmed }) => !isDimmed).map(({ text, x, y }) => {
      const [px, py] = this.camera.toScreen(x, y);
      return { text, x: px, y: py - lift };
    });
    this.labels.draw(this.context, shown, this.camera);
  }

  drawHovered() {
    if (this.hovered < 0) return;
    const { context, points } = this;
    context.strokeStyle = this.theme.accent;
    context.lineWidth = 2.5;
    context.beginPath();
    const radius = this.showsImages ? IMAGE_SIDE * 0.66 : this.radius + 4;
    context.arc(points.px[this.hovered], points.py[this.hovered], radius, 0, 2 * Math.PI);
    context.stroke();
  }

  drawLasso() {
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
