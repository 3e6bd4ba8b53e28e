// What the pages that fill a batch share: the queue of uploads, and choosing a folder.
import { toast } from "../base/notices.js";
import { isImage } from "./dropzone.js";
import { Uploads } from "./queue.js";

export function newUploads(form, options) {
  return new Uploads({
    list: form.querySelector("[data-uploads]"),
    template: form.querySelector("[data-upload-template]"),
    maxBytes: Number(form.dataset.maxBytes),
    ...options,
  });
}

/** A folder's images; other files in it (thumbs.db, .DS_Store) are left out silently. */
export function fillFromFolder(form, onFiles) {
  const input = form.querySelector("[data-folder]");
  if (!input) return;
  for (const row of form.querySelectorAll("[data-folder-row]")) row.hidden = false;
  input.addEventListener("change", () => {
    const files = Array.from(input.files).filter(isImage);
    const folder = input.files[0]?.webkitRelativePath.split("/")[0] ?? "";
    input.value = "";
    files.sort((a, b) => a.webkitRelativePath.localeCompare(b.webkitRelativePath, undefined, { numeric: true }));
    if (files.length) onFiles(files, folder);
    else toast("There are no images in this folder.");
  });
}

export function summary(uploads) {
  const { length } = uploads.items;
  const refused = uploads.refusedCount;
  const done = `${uploads.imageIds.length} of ${length} uploaded`;
  return refused ? `${done}, ${refused} refused` : done;
}
