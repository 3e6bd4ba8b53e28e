// A new batch: the files wait until it is created, then they are uploaded into it, three at once.
import { postSafely, randomKey, sentence } from "./base/http.js";
import { announce } from "./base/notices.js";
import { plural } from "./base/text.js";
import { fillFromFolder, newUploads, summary } from "./uploads/batch_uploads.js";
import { acceptFiles } from "./uploads/dropzone.js";

class NewBatch {
  constructor(form) {
    this.form = form;
    this.part = (name) => form.querySelector(`[data-${name}]`);
    this.uploads = newUploads(form, { isHeld: true, fields: {}, onChange: () => this.refresh() });
    const take = (files, folder = "") => {
      const name = form.elements.batch_name;
      if (!name.value && folder) name.value = folder.slice(0, 200);
      this.uploads.add(files);
    };
    acceptFiles(form.querySelector('[data-dropzone] input[type="file"]'), take);
    fillFromFolder(form, take);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  refresh() {
    const { uploads } = this;
    const count = uploads?.items.length ?? 0;
    this.part("file-count").textContent = count ? String(count) : "";
    if (!this.batch) {
      this.part("progress").textContent = count ? `${plural(count, "file")} will be uploaded.` : "";
      return;
    }
    this.part("progress").textContent = summary(uploads);
    if (uploads.isBusy || this.isLeaving) return;
    if (uploads.refusedCount === 0) this.leave();
    else announce(summary(uploads));
  }

  leave() {
    this.isLeaving = true;
    location.assign(this.address);
  }

  get address() { return `${this.form.dataset.batchUrl}${this.batch.id}/`; }

  body() {
    const data = {};
    for (const name of ["batch_name", "note", "priority", "assignee"]) {
      const value = this.form.elements[name].value.trim();
      if (value) data[name] = value;
    }
    return data;
  }

  async submit() {
    if (this.batch || this.isSending) return;
    this.fail("");
    this.busy(true);
    const text = JSON.stringify(this.body());
    // Repeated under the same key, it finds the batch that the first attempt made.
    if (text !== this.sentText) Object.assign(this, { sentText: text, key: randomKey() });
    const { status, body } = await postSafely("/api/batches/", JSON.parse(text), { key: this.key });
    this.busy(false);
    if (status !== 201 && status !== 200) {
      this.fail(sentence(status, body));
      return;
    }
    this.made(body);
  }

  made(batch) {
    this.batch = batch;
    this.part("create").hidden = true;
    this.part("open").hidden = false;
    this.part("open").href = this.address;
    for (const name of ["batch_name", "note", "priority", "assignee"]) this.form.elements[name].disabled = true;
    announce("The batch was created. Uploading the files.");
    this.uploads.release({ batch: batch.id });
    this.refresh();
  }

  busy(isSending) {
    this.isSending = isSending;
    this.part("create").classList.toggle("busy", isSending);
  }

  fail(text) {
    this.part("error").hidden = !text;
    this.part("error").querySelector("p").textContent = text;
    if (text) this.part("error").scrollIntoView({ block: "nearest" });
  }
}

const form = document.querySelector("[data-new-batch]");
if (form?.querySelector("[data-dropzone]")) new NewBatch(form);
