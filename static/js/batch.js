// The overview of a batch: uploads straight into it, and selecting pictures.
import { fillFromFolder, newUploads, summary } from "./batch_uploads.js";
import { acceptFiles } from "./dropzone.js";
import { Selection } from "./gallery.js";
import { announce } from "./page.js";

const form = document.querySelector("[data-batch-upload]");
if (form) {
  let hadWork = false;
  const uploads = newUploads(form, {
    fields: { batch: form.dataset.batch },
    onChange: (queue) => {
      form.querySelector("[data-file-count]").textContent = queue.items.length ? summary(queue) : "";
      if (queue.isBusy) hadWork = true;
      else if (hadWork && queue.imageIds.length) {
        hadWork = false;
        if (queue.refusedCount === 0) location.reload(); // the page shows them, with what can be done now
        else announce(summary(queue));
      }
    },
  });
  acceptFiles(form.querySelector('[data-dropzone] input[type="file"]'), (files) => uploads.add(files));
  fillFromFolder(form, (files) => uploads.add(files));
}

/** The pictures come anew after a run, so they are looked up again then. */
function initSelection() {
  const selection = document.querySelector("[data-selection]:not([data-ready])");
  if (!selection?.querySelector(".selection-bar")) return;
  selection.dataset.ready = "";
  new Selection(selection);
}

initSelection();
document.body.addEventListener("htmx:afterSettle", initSelection);
