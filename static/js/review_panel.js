// One picture beside the others: large, with what is known of it.
import { announce } from "./page.js";
import { idOf } from "./review_pictures.js";

export class Panel {
  constructor(page) {
    this.page = page;
    this.panel = document.getElementById("picture-panel");
  }

  get isOpen() { return !this.panel.hidden; }

  async open(picture) {
    if (!picture) return;
    this.panel.hidden = false;
    this.page.root.classList.add("has-panel");
    this.shown = idOf(picture); // before the picture is the current one, which asks the panel to follow
    this.page.pictures.setCurrent(picture);
    await this.load();
    announce(picture.dataset.name);
  }

  async load() {
    const id = this.shown;
    const answer = await fetch(`${this.page.base}images/${id}/`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected || id !== this.shown) return;
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    const held = this.panel.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    this.panel.replaceChildren(template.content);
    if (held) (this.panel.querySelector(`[data-act="${held}"]`) ?? this.panel).focus();
  }

  close() {
    if (!this.isOpen) return false;
    const hadFocus = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.shown = null;
    this.page.root.classList.remove("has-panel");
    if (hadFocus) this.page.pictures.focus(this.page.pictures.current);
    return true;
  }

  /** The panel shows the picture that has the focus. */
  follow(picture) {
    if (this.isOpen && picture && idOf(picture) !== this.shown) this.open(picture);
  }

  go(key) {
    const next = this.page.pictures.towards(key);
    if (!next) return;
    next.scrollIntoView({ block: "nearest" });
    this.open(next);
  }
}
