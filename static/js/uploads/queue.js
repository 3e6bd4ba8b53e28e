// One request per file, with progress, cancel and retry; at most three at a time.
import { make } from "../base/html.js";
import { csrfToken, isSignedOut, parsed, retryAfterMs, sentence } from "../base/http.js";
import { signedInAgain } from "../base/sign_in.js";
import { fileSize, tooLarge } from "../base/text.js";

const PARALLEL = 3;
const NETWORK_MS = 15_000; // a server that restarts sends no "online" event
const DISK_FULL_MS = 30_000;
const MOST_PREVIEWS = 60;
const SHOWN_BY_BROWSERS = /^image\/(jpeg|png|webp|avif|gif|bmp)$/;
const FORMAT_NAMES = { jpg: "JPEG", webp: "WebP" };
const OPEN = new Set(["waiting", "sending", "checking"]);

class Upload {
  constructor(file, row, queue) {
    this.file = file;
    this.row = row;
    this.queue = queue;
    this.state = "waiting";
    this.image = null;
    this.tries = 0;
    this.part = (name) => row.querySelector(`[data-${name}]`);
    this.part("name").textContent = file.name || "Pasted image";
    this.part("cancel").addEventListener("click", () => this.cancel());
    this.part("retry").addEventListener("click", () => this.retry());
    this.part("cancel").setAttribute("aria-label", `Remove ${file.name}`);
    this.part("retry").setAttribute("aria-label", `Retry ${file.name}`);
    this.preview();
    this.set("waiting", `${fileSize(file.size)} · waiting`);
  }

  preview() {
    const picture = this.part("preview");
    // Hundreds of originals decoded at once would hold up the page.
    if (!SHOWN_BY_BROWSERS.test(this.file.type) || this.queue.items.length > MOST_PREVIEWS) {
      this.noPreview(picture);
      return;
    }
    this.url = URL.createObjectURL(this.file);
    picture.addEventListener("load", () => URL.revokeObjectURL(this.url), { once: true });
    picture.addEventListener("error", () => this.noPreview(picture), { once: true });
    picture.src = this.url;
  }

  /** An empty frame: the browser cannot show the file, or it is not an image. */
  noPreview(picture) {
    picture.src = document.body.dataset.blank;
    picture.classList.add("is-broken");
  }

  set(state, text) {
    this.state = state;
    this.isDisconnected = false;
    this.row.dataset.state = state;
    this.part("text").textContent = text;
    this.part("text").classList.toggle("error-text", state === "refused" || state === "lost");
    this.part("bar").hidden = !(state === "sending" || state === "checking");
    this.part("retry").hidden = state !== "lost";
    this.part("done").hidden = state !== "done";
    // What needs somebody's eye comes first: the list scrolls.
    const isFault = state === "refused" || state === "lost";
    if (isFault && !this.row.contains(document.activeElement)) this.row.parentElement.prepend(this.row);
    this.queue.changed();
  }

  send() {
    this.tries += 1;
    const form = new FormData();
    form.append("file", this.file, this.file.name || "pasted.png");
    for (const [name, value] of Object.entries(this.queue.fields)) form.append(name, value);
    const xhr = this.xhr = new XMLHttpRequest();
    xhr.open("POST", "/api/images/");
    xhr.setRequestHeader("Accept", "application/json");
    xhr.setRequestHeader("X-CSRFToken", csrfToken());
    xhr.upload.addEventListener("progress", (event) => this.progress(event));
    xhr.addEventListener("load", () => this.answered(xhr));
    xhr.addEventListener("error", () => this.disconnected());
    xhr.addEventListener("timeout", () => this.disconnected());
    xhr.send(form);
    this.set("sending", `${fileSize(this.file.size)} · sending`);
  }

  progress({ lengthComputable, loaded, total }) {
    if (!lengthComputable || this.state === "cancelled") return;
    const bar = this.part("bar");
    bar.max = total;
    bar.value = loaded;
    const size = fileSize(this.file.size);
    if (loaded < total) this.part("text").textContent = `${size} · ${Math.round((100 * loaded) / total)} %`;
    else this.set("checking", `${fileSize(this.file.size)} · checking the image`);
  }

  /** It continues when the browser is online again, or when the server answers again. */
  disconnected() {
    this.set("lost", sentence(0));
    this.isDisconnected = true;
    setTimeout(() => { if (this.isDisconnected && navigator.onLine) this.retry(); }, NETWORK_MS);
  }

  hold(text, ms) {
    this.set("waiting", text);
    this.heldUntil = Date.now() + ms;
    setTimeout(() => this.queue.pump(), ms + 20);
  }

  answered(xhr) {
    const body = parsed(xhr.responseText);
    if ((xhr.status === 200 || xhr.status === 201) && body?.id) return this.accepted(body);
    const later = xhr.getResponseHeader("Retry-After");
    if (xhr.status === 507) {
      return this.hold(`${sentence(507, body)} Trying again automatically.`, retryAfterMs(later, DISK_FULL_MS));
    }
    // A server that names a time is believed for as long as it does.
    if ((xhr.status === 429 || xhr.status === 503) && (later || this.tries < 5)) {
      return this.hold("The server is busy. Trying again soon.", retryAfterMs(later, 2000));
    }
    if (isSignedOut(xhr.status, body)) {
      this.set("lost", sentence(401));
      return signedInAgain().then((isBack) => { if (isBack && this.state === "lost") this.retry(); });
    }
    const mayWorkLater = xhr.status === 0 || xhr.status >= 500;
    return this.set(mayWorkLater ? "lost" : "refused", sentence(xhr.status, body));
  }

  accepted(image) {
    this.image = image;
    const format = FORMAT_NAMES[image.format] ?? image.format.toUpperCase();
    const facts = `${format} · ${image.width} × ${image.height} · ${fileSize(image.byte_size)}`;
    this.set("done", image.duplicate ? `${facts} · already in the library` : facts);
    const picture = this.part("preview");
    if (picture.classList.contains("is-broken")) {
      picture.src = `/api/images/${image.id}/thumbnail/?size=128`;
      picture.classList.remove("is-broken");
    }
    this.row.dataset.image = image.id;
  }

  cancel() {
    const isOpen = OPEN.has(this.state);
    this.state = "cancelled";
    this.isDisconnected = false;
    if (isOpen) this.xhr?.abort();
    const next = this.row.nextElementSibling ?? this.row.previousElementSibling;
    this.row.remove();
    (next?.querySelector("button:not([hidden])") ?? document.querySelector("[data-dropzone] input"))?.focus();
    this.queue.remove(this);
  }

  retry() {
    this.tries = 0;
    this.set("waiting", `${fileSize(this.file.size)} · waiting`);
    this.queue.pump();
  }
}

export class Uploads {
  /** `fields` go along with every file; while `isHeld`, files are listed and wait. */
  constructor({ list, template, maxBytes, onChange, fields = {}, isHeld = false }) {
    Object.assign(this, { list, template, maxBytes, onChange, fields, isHeld });
    this.items = [];
    this.again = make("button", { type: "button", className: "button small retry-all", textContent: "Retry all", hidden: true });
    this.again.addEventListener("click", () => this.retryAll());
    list.before(this.again);
    window.addEventListener("online", () => this.retryAll((item) => item.isDisconnected));
    window.addEventListener("beforeunload", (event) => {
      if (this.items.some((item) => OPEN.has(item.state) || item.state === "lost")) event.preventDefault();
    });
  }

  retryAll(isMeant = () => true) {
    for (const item of this.items) if (item.state === "lost" && isMeant(item)) item.retry();
  }

  release(fields) {
    Object.assign(this, { fields, isHeld: false });
    this.pump();
  }

  add(files) {
    for (const file of files) {
      const row = this.template.content.firstElementChild.cloneNode(true);
      this.list.append(row);
      const upload = new Upload(file, row, this);
      this.items.push(upload);
      // Sending what is certain to be refused would only take time.
      if (file.size > this.maxBytes) upload.set("refused", tooLarge(file.size, this.maxBytes));
    }
    this.pump();
    this.changed();
  }

  pump() {
    if (this.isHeld) return;
    const busy = this.items.filter((item) => item.state === "sending" || item.state === "checking").length;
    const ready = this.items.filter((item) => item.state === "waiting" && !(item.heldUntil > Date.now()));
    for (const item of ready.slice(0, Math.max(0, PARALLEL - busy))) item.send();
  }

  /** However much changes in one go, it is looked at once. */
  changed() {
    if (this.isLooking) return;
    this.isLooking = true;
    queueMicrotask(() => { this.isLooking = false; this.pump(); this.show(); this.onChange(this); });
  }

  show() {
    this.again.hidden = this.items.filter((item) => item.state === "lost").length < 2;
  }

  remove(upload) {
    this.items = this.items.filter((item) => item !== upload);
    this.changed();
  }

  clear() {
    for (const item of this.items) item.row.remove();
    this.items = [];
    this.changed();
  }

  get isBusy() { return this.items.some((item) => OPEN.has(item.state)); }
  get imageIds() { return this.items.filter((item) => item.state === "done").map((item) => item.image.id); }
  get refusedCount() { return this.items.filter((item) => item.state === "refused" || item.state === "lost").length; }
}
