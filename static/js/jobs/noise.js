// What the server says of one image's noise before it is denoised, under the button that starts the job.
import { postSafely } from "../base/http.js";

const PAUSE_MS = 600;

export class NoiseNote {
  /** `note` is the paragraph; `work()` gives the body of the job as it stands. */
  constructor(note, work) {
    Object.assign(this, { note, work, asked: "" });
  }

  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    const { images, pipeline, operations } = this.work();
    const steps = (pipeline ?? operations).filter((step) => step.name === "denoise");
    const isAsked = images.length === 1 && steps.length > 0;
    const data = { images, operations: steps };
    const text = isAsked ? JSON.stringify(data) : "";
    if (text === this.asked) return;
    this.asked = text;
    this.show("");
    if (!isAsked) return;
    const { status, body } = await postSafely("/api/jobs/estimate/", data, { attempts: 1 });
    if (this.asked !== text) return;
    if (status === 200) this.show((body?.notes ?? []).join(" "));
    else if (body?.code === "model_unavailable") this.show(body.detail);
  }

  show(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}
