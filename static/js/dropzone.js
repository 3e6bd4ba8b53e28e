// Pictures come in by dropping them anywhere on the page, by pasting, or by choosing files.
import { icon } from "./page.js";

const hasFiles = (transfer) => Array.from(transfer?.types ?? []).includes("Files");

function makeVeil() {
  const veil = document.createElement("div");
  veil.className = "drop-veil";
  veil.hidden = true;
  const box = document.createElement("div");
  box.append(icon("upload"), "Drop to add");
  veil.append(box);
  document.body.append(veil);
  return veil;
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
    onFiles(Array.from(event.dataTransfer.files));
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (!files.length) return;
    event.preventDefault();
    onFiles(files);
  });
  const take = () => {
    const files = Array.from(input.files);
    input.value = ""; // the files go by themselves; the same one can be chosen again
    if (files.length) onFiles(files);
  };
  input.addEventListener("change", take);
  take(); // chosen while this script was still loading
}
