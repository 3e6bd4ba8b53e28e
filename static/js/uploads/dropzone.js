// Images come in by dropping them anywhere on the page, by pasting, or by choosing files.
import { make } from "../base/html.js";
import { icon, toast } from "../base/notices.js";

const NAMED_AS_IMAGE = /\.(jpe?g|png|webp|avif|gif|bmp|tiff?|heic|heif)$/i;

export const isImage = (file) => file.type.startsWith("image/") || NAMED_AS_IMAGE.test(file.name);

const hasFiles = (transfer) => Array.from(transfer?.types ?? []).includes("Files");

function makeVeil() {
  const veil = make("div", { className: "drop-veil", hidden: true }, make("div", {}, icon("upload"), "Drop to add"));
  document.body.append(veil);
  return veil;
}

const inFolder = (reader) => new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
const fileOf = (entry) => new Promise((resolve, reject) => { entry.file(resolve, reject); });

/** The files of a dropped folder and the folders in it; hidden ones, and what cannot be read, are left out. */
async function filesOf(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return [await fileOf(entry)].filter(isImage);
  const reader = entry.createReader();
  const files = [];
  for (let part = await inFolder(reader); part.length; part = await inFolder(reader)) { // at most 100 come at once
    for (const child of part) files.push(...(await filesOf(child).catch(() => [])));
  }
  return files;
}

/** Files at once; folders are walked, and their name goes along. */
async function takeDropped(transfer, onFiles) {
  const entries = Array.from(transfer.items ?? [], (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const folders = entries.filter((entry) => entry.isDirectory);
  if (!folders.length) {
    onFiles(Array.from(transfer.files));
    return;
  }
  const loose = entries.filter((entry) => entry.isFile);
  const found = [];
  for (const entry of [...loose, ...folders]) found.push(...(await filesOf(entry).catch(() => [])));
  if (found.length) onFiles(found, folders[0].name);
  else toast("There are no images in this folder.");
}

export function acceptFiles(input, onFiles) {
  const veil = makeVeil();
  let depth = 0; // dragenter and dragleave come once per element that the pointer crosses
  const hide = () => { depth = 0; veil.hidden = true; };
  window.addEventListener("dragenter", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    depth += 1;
    veil.hidden = false;
  });
  window.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) hide(); });
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    hide();
    takeDropped(event.dataTransfer, onFiles);
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  });
  const take = () => {
    const files = Array.from(input.files);
    input.value = ""; // the files are sent apart from the form; the same one can be chosen again
    if (files.length) onFiles(files);
  };
  input.addEventListener("change", take);
  take(); // chosen while this script was still loading
}
