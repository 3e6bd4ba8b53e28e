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
    this.leaveSingle(picture);
    this.beside = null;
    this.shown = idOf(picture); // before the picture is the current one, which asks the panel to follow
    this.page.pictures.setCurrent(picture);
    await this.load();
    announce(picture.dataset.name);
  }

  /** Keys are about the picture that is shown, not about the one that was clicked before it. */
  leaveSingle(picture) {
    const { pictures } = this.page;
    const { selected } = pictures;
    if (selected.length === 1 && selected[0] !== picture) pictures.clear();
  }

  /** What the panel's own buttons are about: the picture that it shows. */
  get pictures() {
    const picture = this.shown && this.page.pictures.find(this.shown);
    return picture ? [picture] : [];
  }

  async load() {
    const [id, beside] = [this.shown, this.beside];
    const query = beside ? `?with=${beside}` : "";
    const answer = await fetch(`${this.page.base}images/${id}/${query}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected || id !== this.shown || beside !== this.beside) return;
    const template = document.createElement("template");
    template.innerHTML = await answer.text();
    const held = this.panel.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    this.panel.replaceChildren(template.content);
    if (!this.panel.querySelector("[data-compared]")) this.beside = null; // it is in the same set no longer
    if (held) (this.panel.querySelector(`[data-act="${held}"]`) ?? this.panel).focus();
  }

  /** Show another picture of its set beside it; null: none any more. */
  async compare(id) {
    if (!id && !this.beside) return false;
    this.beside = id;
    await this.load();
    this.panel.scrollTop = 0;
    if (id) this.panel.querySelector('[data-act="keep"], [data-act="compare-end"]')?.focus({ preventScroll: true });
    else this.panel.querySelector('[data-act="compare"]')?.focus();
    return true;
  }

  /** The two that are compared: `keep` stays and the other one is rejected; without it they are different pictures. */
  decide(keep) {
    const first = keep ?? this.shown;
    const other = first === this.shown ? this.beside : this.shown;
    return this.page.acts.decidePair(first, other, keep ? "duplicate" : "not_duplicate");
  }

  close() {
    if (!this.isOpen) return false;
    const hadFocus = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.shown = this.beside = null;
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
