// Numbers and words for people.

export const number = (value) => value.toLocaleString("en");

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let size = bytes;
  let unit = "B";
  for (unit of units) {
    size /= 1000;
    if (size < 999.5) break;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** Sizes that round to the same words are given in bytes. */
export function tooLarge(bytes, limit) {
  const format = fileSize(bytes) === fileSize(limit) ? (size) => plural(size, "byte") : fileSize;
  return `This file is too large (${format(bytes)}). The limit is ${format(limit)}.`;
}
