// The overview of a batch: uploads straight into it, and selecting images.
import { announce } from "./base/notices.js";
import { Selection } from "./base/selection.js";
import { fillFromFolder, newUploads, summary } from "./uploads/batch_uploads.js";
import { acceptFiles } from "./uploads/dropzone.js";

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

/** The images come anew after a run, so they are looked up again then. */
function initSelection() {
  const selection = document.querySelector("[data-selection]:not([data-ready])");
  if (!selection?.querySelector(".selection-bar")) return;
  selection.dataset.ready = "";
  new Selection(selection);
}

initSelection();
document.body.addEventListener("htmx:afterSettle", initSelection);
