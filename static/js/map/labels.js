// The names of groups on the map, as bitmaps: text is drawn once, not for every frame.

const HEIGHT = 20;

export class Labels {
  constructor() { this.bitmaps = new Map(); }

  /** In these colours and this font from now on, with so many device pixels to a pixel. */
  restyle(style) {
    this.style = style;
    this.bitmaps.clear();
  }

  of(text) {
    if (!this.bitmaps.has(text)) this.bitmaps.set(text, this.drawn(text));
    return this.bitmaps.get(text);
  }

  drawn(text) {
    const { font, ink, paper, ratio } = this.style;
    const measure = new OffscreenCanvas(1, 1).getContext("2d");
    measure.font = font;
    const width = Math.ceil(measure.measureText(text).width) + 12;
    const canvas = new OffscreenCanvas(Math.ceil(width * ratio), Math.ceil(HEIGHT * ratio));
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    Object.assign(context, { font, textAlign: "center", fillStyle: ink });
    Object.assign(context, { lineJoin: "round", lineWidth: 4, strokeStyle: paper });
    context.strokeText(text, width / 2, 14);
    context.fillText(text, width / 2, 14);
    return { bitmap: canvas.transferToImageBitmap(), width };
  }

  /** `labels`: { text, x, y }, the middle of each on the canvas; one that would lie over an earlier one is left out. */
  draw(context, labels, { width: right, height: bottom }) {
    const taken = [];
    for (const { text, x, y } of labels) {
      const { bitmap, width } = this.of(text);
      const box = [x - width / 2, y - HEIGHT / 2, x + width / 2, y + HEIGHT / 2];
      const isOut = box[0] < 0 || box[1] < 0 || box[2] > right || box[3] > bottom;
      if (isOut || taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3])) continue;
      taken.push(box);
      context.drawImage(bitmap, box[0], box[1], width, HEIGHT);
    }
  }
}
