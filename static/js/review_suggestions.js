// The images in no group: a slider that says what it would take in, and the sheet on narrow screens.

const CALM_MS = 300;

export class Suggestions {
  constructor(page) {
    this.page = page;
    this.steps = [];
    page.root.addEventListener("input", (event) => { if (event.target.id === "distance") this.show(); });
    this.shown();
  }

  get panel() { return document.getElementById("unassigned"); }
  get slider() { return document.getElementById("distance"); }
  get distance() { return this.steps[Number(this.slider.value)][0]; }

  /** The panel is new on the page. */
  shown() {
    const part = this.panel?.querySelector("[data-steps]");
    this.steps = part ? JSON.parse(part.dataset.steps) : [];
    if (part) this.show();
  }

  show() {
    const [distance, count] = this.steps[Number(this.slider.value)];
    const words = `${count} picture${count === 1 ? "" : "s"}`;
    this.panel.querySelector("[data-distance]").textContent = distance.toFixed(2);
    this.panel.querySelector("[data-near-count]").textContent = words;
    this.slider.setAttribute("aria-valuetext", `${distance.toFixed(2)}: ${words}`);
  }

  showCount(count) {
    const button = document.querySelector("[data-unassigned-count]");
    if (button) button.textContent = count;
  }

  /** Ask for the panel again, once after several changes; the focus goes to the picture that takes the place. */
  refresh() {
    if (!this.panel) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.load(), CALM_MS);
  }

  async load() {
    const answer = await fetch(this.panel.dataset.url, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    const fresh = template.content.querySelector("#unassigned");
    const { panel, page } = this;
    const held = document.activeElement;
    const at = panel.contains(held) ? this.places().indexOf(held) : -1;
    const value = this.slider?.value;
    fresh.classList.toggle("is-open", panel.classList.contains("is-open"));
    page.pictures.keepingFocus(() => {
      panel.replaceWith(fresh);
      window.htmx.process(fresh);
      if (this.slider && value) this.slider.value = value;
      this.shown();
      const places = this.places();
      if (at >= 0) (places[Math.min(at, places.length - 1)] ?? fresh).focus({ preventScroll: true });
    });
  }

  places() { return Array.from(this.panel.querySelectorAll("a, button, input:not([tabindex='-1']), summary")); }

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
