// One image beside the others: large, with what is known of it.
import { fetchPart, parseParts } from "../base/html.js";
import { announce } from "../base/notices.js";
import { idOf } from "./images.js";

export class Panel {
  constructor(page) {
    this.page = page;
    this.panel = document.getElementById("picture-panel");
  }

  get isOpen() { return !this.panel.hidden; }

  async open(tile) {
    if (!tile) return;
    this.panel.hidden = false;
    this.page.root.classList.add("has-panel");
    this.leaveSingle(tile);
    this.beside = null;
    this.shown = idOf(tile); // before the tile is the current one, which asks the panel to follow
    this.page.images.setCurrent(tile);
    await this.load();
    announce(tile.dataset.name);
  }

  /** Keys are about the image that is shown, not about the one that was clicked before it. */
  leaveSingle(tile) {
    const { images } = this.page;
    const { selected } = images;
    if (selected.length === 1 && selected[0] !== tile) images.clear();
  }

  /** The tile of the image that is shown; null when it has left the page. */
  get tile() { return this.shown && this.page.images.find(this.shown); }

  async load() {
    const [id, beside] = [this.shown, this.beside];
    const html = await fetchPart(`${this.page.base}images/${id}/${beside ? `?with=${beside}` : ""}`);
    if (html === null || id !== this.shown || beside !== this.beside) return;
    const held = this.panel.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    this.panel.replaceChildren(parseParts(html));
    if (!this.panel.querySelector("[data-compared]")) this.beside = null; // it is in the same set no longer
    if (held) (this.panel.querySelector(`[data-act="${held}"]`) ?? this.panel).focus();
  }

  /** Show another image of its set beside it; null: none any more. */
  async compare(id) {
    if (!id && !this.beside) return false;
    this.beside = id;
    await this.load();
    this.panel.scrollTop = 0;
    if (id) this.panel.querySelector('[data-act="keep"], [data-act="compare-end"]')?.focus({ preventScroll: true });
    else this.panel.querySelector('[data-act="compare"]')?.focus();
    return true;
  }

  /** The two that are compared: `keep` stays and the other one is rejected; without it they are different images. */
  decide(keep) {
    const first = keep ?? this.shown;
    const other = first === this.shown ? this.beside : this.shown;
    return this.page.actions.decidePair(first, other, keep ? "duplicate" : "not_duplicate");
  }

  close() {
    if (!this.isOpen) return false;
    const hadFocus = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.panel.replaceChildren();
    this.shown = this.beside = null;
    this.page.root.classList.remove("has-panel");
    if (hadFocus) this.page.images.focus(this.page.images.current);
    return true;
  }

  /** The panel shows the image that has the focus. */
  follow(tile) {
    if (this.isOpen && tile && idOf(tile) !== this.shown) this.open(tile);
  }

  go(key) {
    const next = this.page.images.towards(key);
    if (!next) return;
    next.scrollIntoView({ block: "nearest" });
    this.open(next);
  }
}
