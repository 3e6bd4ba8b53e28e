// The images in no group: a slider that says what it would take in, and the sheet on narrow screens.
import { fetchPart } from "../base/html.js";
import { morph } from "../base/morph.js";
import { plural } from "../base/text.js";

const PAUSE_MS = 300;

export class Suggestions {
  constructor(page) {
    this.page = page;
    this.steps = [];
    page.root.addEventListener("input", (event) => { if (event.target.id === "distance") this.show(); });
    this.init();
  }

  get panel() { return document.getElementById("unassigned"); }
  get slider() { return document.getElementById("distance"); }
  get distance() { return this.steps[Number(this.slider.value)][0]; }

  /** The panel is new on the page. */
  init() {
    const part = this.panel?.querySelector("[data-steps]");
    this.steps = part ? JSON.parse(part.dataset.steps) : [];
    if (part) this.show();
  }

  show() {
    const [distance, count] = this.steps[Number(this.slider.value)];
    const images = plural(count, "image");
    this.panel.querySelector("[data-distance]").textContent = distance.toFixed(2);
    this.panel.querySelector("[data-near-count]").textContent = images;
    this.slider.setAttribute("aria-valuetext", `${distance.toFixed(2)}: ${images}`);
  }

  showCount(count) {
    const button = document.querySelector("[data-unassigned-count]");
    if (button) button.textContent = count;
  }

  /** Fetch the panel again, once after several changes. */
  refresh() {
    if (!this.panel) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.load(), PAUSE_MS);
  }

  async load() {
    const html = await fetchPart(this.panel.dataset.url);
    if (html === null) return;
    const { panel, page } = this;
    const isOpen = panel.classList.contains("is-open");
    const value = this.slider?.value;
    const places = this.places();
    const at = places.indexOf(document.activeElement);
    page.images.keepingFocus(() => {
      morph(panel, html).classList.toggle("is-open", isOpen);
      if (this.slider && value) this.slider.value = value;
      this.init();
      if (at < 0 || places[at].isConnected) return;
      const left = this.places();
      (left[Math.min(at, left.length - 1)] ?? panel).focus({ preventScroll: true });
    });
  }

  places() {
    return Array.from(this.panel.querySelectorAll("a, button, input:not([tabindex='-1']), summary"));
  }

  toggle() {
    const isOpen = this.panel?.classList.toggle("is-open");
    if (isOpen) this.panel.focus();
    else document.querySelector(".unassigned-open")?.focus();
  }

  close() {
    if (!this.panel?.classList.contains("is-open")) return false;
    this.toggle();
    return true;
  }
}
