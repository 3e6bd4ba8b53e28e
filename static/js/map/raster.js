// Points as pixels: thousands of calls to drawImage take 16 to 50 ms without a graphics card, this takes 2.

const SHAPES = 4;
const DIMMED = 0.13;

function outline(context, shape, radius) {
  context.beginPath();
  if (shape === 0) context.arc(0, 0, radius, 0, 2 * Math.PI);
  else if (shape === 1) context.rect(-radius * 0.88, -radius * 0.88, radius * 1.76, radius * 1.76);
  else {
    const corners = shape === 2 ? 4 : 3;
    for (let i = 0; i < corners; i += 1) {
      const angle = (2 * Math.PI * i) / corners - Math.PI / 2;
      context.lineTo(1.2 * radius * Math.cos(angle), 1.2 * radius * Math.sin(angle));
    }
    context.closePath();
  }
}

/** The pixels of one point: { side, pixels }, with straight alpha. */
export function makeSprite({ colour, shape, radius, line, lineWidth, isDimmed }) {
  const side = Math.ceil(radius * 2.6 + lineWidth * 2);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.translate(side / 2, side / 2);
  outline(context, shape % SHAPES, radius);
  Object.assign(context, { fillStyle: colour, strokeStyle: line, lineWidth });
  context.fill();
  context.stroke();
  const { data } = context.getImageData(0, 0, side, side);
  if (isDimmed) for (let i = 3; i < data.length; i += 4) data[i] *= DIMMED;
  return { side, pixels: new Uint32Array(data.buffer) };
}

/** What lies over what is there: both with straight alpha, the new one in front. */
function over(front, back) {
  const alpha = front >>> 24;
  const rest = ((back >>> 24) * (255 - alpha)) / 255;
  const whole = alpha + rest;
  let mixed = Math.round(whole) << 24;
  for (const shift of [0, 8, 16]) {
    mixed |= Math.round((((front >>> shift) & 255) * alpha + ((back >>> shift) & 255) * rest) / whole) << shift;
  }
  return mixed >>> 0;
}

export class Raster {
  constructor(context, width, height) {
    this.context = context;
    this.image = context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  clear() { this.pixels.fill(0); }

  /** Draw a sprite with its middle at a place in device pixels. */
  draw({ side, pixels }, x, y) {
    const { width, height } = this.image;
    const left = Math.round(x - side / 2);
    const top = Math.round(y - side / 2);
    const [first, last] = [Math.max(0, -left), Math.min(side, width - left)];
    for (let row = Math.max(0, -top); row < Math.min(side, height - top); row += 1) {
      const start = (top + row) * width + left;
      for (let column = first; column < last; column += 1) {
        const pixel = pixels[row * side + column];
        if (pixel >>> 24 === 0) continue;
        const at = start + column;
        this.pixels[at] = pixel >>> 24 === 255 || this.pixels[at] === 0 ? pixel : over(pixel, this.pixels[at]);
      }
    }
  }

  show() { this.context.putImageData(this.image, 0, 0); }
}
