// The start page: images are uploaded at once, the job is submitted when all of them are there.
import { fetchPart, parseParts } from "./base/html.js";
import { postSafely, randomKey, sentence } from "./base/http.js";
import { announce, toast } from "./base/notices.js";
import { session } from "./base/storage.js";
import { plural } from "./base/text.js";
import { Composer } from "./jobs/composer.js";
import { NoiseNote } from "./jobs/noise.js";
import { mergeInto, remember } from "./jobs/remembered.js";
import { acceptFiles } from "./uploads/dropzone.js";
import { Uploads } from "./uploads/queue.js";

const CHOSEN = "pix.chosen";
const MOST_IN_ADDRESS = 90; // servers refuse longer addresses
const form = document.getElementById("composer");
const jobs = document.querySelector("[data-my-jobs]");

class Home {
  constructor() {
    this.part = (name) => form.querySelector(`[data-${name}]`);
    this.uploads = new Uploads({
      list: this.part("uploads"),
      template: form.querySelector("[data-upload-template]"),
      maxBytes: Number(form.dataset.maxBytes),
      onChange: () => this.refresh(),
    });
    this.noise = new NoiseNote(this.part("noise-note"), () => this.body());
    this.composer = new Composer(form, { onChange: () => this.refresh() });
    const chosen = session.getJson(CHOSEN);
    if (chosen && !this.composer.chosenNames().length) this.composer.apply(chosen);
    acceptFiles(form.querySelector('[data-dropzone] input[type="file"]'), (files) => this.uploads.add(files));
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    form.addEventListener("change", (event) => { if (event.target.name === "image") this.refresh(); });
    form.addEventListener("input", () => this.noise.refresh());
    this.refresh();
  }

  get imageIds() {
    const kept = Array.from(form.querySelectorAll('input[name="image"]:checked'), (input) => input.value);
    return [...new Set([...kept, ...this.uploads.imageIds])];
  }

  refresh() {
    if (!this.composer) return;
    const images = this.imageIds.length;
    const open = this.uploads.items.length - this.uploads.imageIds.length - this.uploads.refusedCount;
    const steps = this.composer.chosenNames().length;
    const all = images + Math.max(0, open);
    this.part("picture-count").textContent = all ? String(all) : "";
    this.part("submit-label").textContent = all > 1 ? `Process ${all} images` : all === 1 ? "Process image" : "Start";
    this.part("submit-hint").textContent = this.hint(images, open, steps);
    this.part("submit").setAttribute("aria-disabled", String(!all || !steps));
    this.keep();
    this.noise.refresh();
    form.classList.toggle("has-work", Boolean(all || steps));
    if (this.isWaiting && !this.uploads.isBusy) this.submit();
  }

  /** A reload, or coming back, finds the same operations and the images that had arrived. */
  keep() {
    const steps = Object.fromEntries(this.composer.steps().map(({ name, parameters }) => [name, parameters]));
    session.setJson(CHOSEN, { steps, is_pipeline: this.composer.isPipeline });
    const ids = this.imageIds.slice(0, MOST_IN_ADDRESS).join(",");
    const address = location.pathname + (ids ? `?images=${ids}` : "");
    if (address !== location.pathname + location.search) history.replaceState(history.state, "", address);
  }

  hint(images, open, steps) {
    if (this.isWaiting) return `Starts when ${plural(open, "upload is", "uploads are")} done.`;
    if (!images && !open) return steps ? "Choose at least one image." : "Choose images and at least one operation.";
    if (!steps) return "Choose at least one operation.";
    const results = (images + open) * (this.composer.isPipeline ? 1 : steps);
    const refused = this.uploads.refusedCount;
    return plural(results, "result") + (refused ? ` · ${plural(refused, "file")} left out` : "");
  }

  body() {
    const kind = this.composer.isPipeline ? "pipeline" : "operations";
    const data = { images: this.imageIds, [kind]: this.composer.steps() };
    const priority = form.elements.priority.selectedOptions[0].dataset.label;
    if (priority !== "normal") data.priority = priority;
    for (const name of ["output_folder", "filename_prefix"]) {
      const value = form.elements[name].value.trim();
      if (value) data[name] = value;
    }
    return data;
  }

  async submit() {
    if (this.isSending) return;
    this.isWaiting = false;
    const hasImages = this.imageIds.length || this.uploads.isBusy;
    if (!hasImages || !this.composer.chosenNames().length) {
      this.fail(hasImages ? "Choose at least one operation." : "Choose at least one image that was accepted.");
      return;
    }
    this.isWaiting = this.uploads.isBusy;
    if (this.isWaiting) {
      this.refresh();
      return;
    }
    await this.send(this.body());
  }

  async send(data) {
    const text = JSON.stringify(data);
    // The same work after a failure goes under the same key: if the first attempt did arrive, this one finds its job.
    if (text !== this.sentText) Object.assign(this, { sentText: text, key: randomKey() });
    this.busy(true);
    this.fail("");
    const { status, body } = await postSafely("/api/jobs/", data, { key: this.key });
    this.busy(false);
    if (status === 202 || status === 200) {
      this.sentText = null;
      await this.started(body);
      return;
    }
    const homeless = this.composer.showErrors(body?.errors ?? []);
    if (homeless.length || !body?.errors?.length) this.fail(sentence(status, body));
    else this.fail("Check the values marked above.", false);
  }

  busy(isSending) {
    this.isSending = isSending;
    this.part("submit").classList.toggle("busy", isSending);
    this.part("submit").setAttribute("aria-busy", String(isSending));
  }

  fail(text, isFocused = true) {
    const note = this.part("submit-error");
    note.hidden = !text;
    note.querySelector("p").textContent = text;
    if (text && isFocused) note.scrollIntoView({ block: "nearest" });
  }

  async started(job) {
    remember(job.id);
    this.uploads.clear();
    for (const row of form.querySelectorAll(".upload[data-image]")) row.remove();
    this.refresh();
    const html = await fetchPart(form.dataset.cardUrl.replace(/0{8}-.*0{12}/, job.id));
    const card = parseParts(html ?? "").firstElementChild;
    if (!card) {
      location.assign(`/jobs/${job.id}/`);
      return;
    }
    jobs.querySelector(`[data-job="${job.id}"]`)?.remove();
    card.classList.add("is-new");
    jobs.prepend(card);
    showList();
    window.htmx.process(card);
    announce("The job has started.");
    toast("The job has started.");
    card.scrollIntoView({ block: "nearest", behavior: "smooth" });
    card.querySelector("a").focus({ preventScroll: true });
  }
}

function showList() {
  jobs.hidden = jobs.children.length === 0;
  document.querySelector("[data-no-jobs]").hidden = !jobs.hidden;
}

if (form) new Home();
mergeInto(jobs).then(showList, showList);
