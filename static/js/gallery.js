// The library: uploads that appear in the grid, and selecting many images.
import { announce } from "./base/notices.js";
import { Selection } from "./base/selection.js";
import { plural } from "./base/text.js";
import { acceptFiles } from "./uploads/dropzone.js";
import { Uploads } from "./uploads/queue.js";

function initUploads() {
  const form = document.querySelector("[data-gallery-upload]");
  if (!form) return;
  let hadWork = false;
  const uploads = new Uploads({
    list: form.querySelector("[data-uploads]"),
    template: form.querySelector("[data-upload-template]"),
    maxBytes: Number(form.dataset.maxBytes),
    onChange: (queue) => {
      if (queue.isBusy) hadWork = true;
      else if (hadWork && queue.imageIds.length) {
        hadWork = false;
        if (queue.refusedCount === 0) location.reload(); // the grid shows them, in its own order and filters
        else announce(`${plural(queue.imageIds.length, "image")} uploaded, ${queue.refusedCount} refused.`);
      }
    },
  });
  acceptFiles(form.querySelector('input[type="file"]'), (files) => uploads.add(files));
}

initUploads();
const form = document.querySelector("[data-gallery-selection]");
if (form?.querySelector(".selection-bar")) new Selection(form);
