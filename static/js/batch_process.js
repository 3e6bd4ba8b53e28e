// Work on a batch: the operations are chosen as on the start page, the estimate follows every change.
import { Composer } from "./jobs/composer.js";

const form = document.getElementById("batch-process");
const estimate = form?.querySelector("[data-work-estimate]");

let asking;
function look() {
  clearTimeout(asking);
  asking = setTimeout(() => window.htmx?.trigger(estimate, "look"), 350);
}

if (form) {
  new Composer(form, { onChange: look });
  form.addEventListener("input", look);
  form.addEventListener("change", look);
}
