// Shows what changed since the version that the page shows: strips, images, counts.
import { parseParts } from "../base/html.js";
import { getJson } from "../base/http.js";
import { morph } from "../base/morph.js";
import { showChangeLater } from "../batches/api.js";

export class Sync {
  constructor(page) {
    this.page = page;
    this.version = Number(page.root.dataset.version);
    this.known = null; // ids of the groups: one that is not among them is new
    this.running = Promise.resolve();
  }

  /** One after the other, so that a later answer is never overtaken by an earlier one. */
  run(changes = [], isMine = true) {
    this.running = this.running.then(() => this.fetch(changes, isMine)).catch(() => undefined);
    return this.running;
  }

  async fetch(changes, isMine) {
    const { page } = this;
    const query = new URLSearchParams({ since: this.version, order: page.root.dataset.order });
    if (page.openLabel !== null) query.set("group", page.openLabel);
    const state = await getJson(`${page.base}sync/?${query}`);
    if (!state) return;
    if (state.is_gone || state.reload) {
      if (isMine && changes[0]) showChangeLater(changes[0]);
      if (state.is_gone) location.assign(page.root.dataset.nextOpen ?? page.base);
      else location.reload();
      return;
    }
    this.version = state.version;
    page.images.keepingFocus(() => this.show(state));
    if (page.panel.isOpen && changes.length) page.panel.load();
    if (changes.length) page.suggestions.refresh();
  }

  show(state) {
    const { page } = this;
    page.groups = state.groups;
    page.numbers.fit(state.groups);
    for (const [id, html] of Object.entries(state.strips)) this.showStrip(id, html);
    for (const [id, html] of Object.entries(state.images)) this.showImage(id, html);
    this.known = new Set(state.groups.map((group) => group.id));
    const title = document.getElementById("group-title");
    if (state.title && title && !title.querySelector(".rename")) morph(title, state.title);
    morph(document.getElementById("review-progress"), state.progress);
    const onward = page.root.querySelector("[data-continue]");
    if (onward && state.next_open) onward.href = state.next_open;
    else onward?.remove();
    page.suggestions.showCount(state.unassigned);
    page.targets.show(state.groups);
    page.numbers.show(page.root);
    for (const field of page.root.querySelectorAll('input[name="version"]')) field.value = state.version;
  }

  showStrip(id, html) {
    const strip = document.getElementById(`g-${id}`);
    if (strip && html === null) removeStrip(strip);
    else if (strip?.querySelector(".rename")) return; // what is being typed stays; saving it brings the rest
    else if (strip) morph(strip, html);
    else if (html !== null && this.known && !this.known.has(id)) addStrip(html);
  }

  showImage(id, html) {
    const tile = this.page.images.find(id);
    if (tile && html === null) tile.remove();
    else if (tile) morph(tile, html);
    else if (html !== null) addImage(html);
  }
}

function addStrip(html) {
  const strips = document.getElementById("strips");
  if (!strips) return;
  strips.querySelector(".empty")?.remove();
  strips.prepend(parseParts(html));
  strips.firstElementChild.classList.add("is-new");
  window.htmx.process(strips.firstElementChild);
}

/** Take a strip away; the focus goes to the next one. */
function removeStrip(strip) {
  const next = strip.nextElementSibling ?? strip.previousElementSibling;
  const hadFocus = strip.contains(document.activeElement);
  strip.remove();
  if (hadFocus) next?.querySelector(".pic-link, [data-open]")?.focus({ preventScroll: true });
}

/** At its place in the order, as far as that is shown. */
function addImage(html) {
  const images = document.getElementById("pictures");
  const tile = parseParts(html).querySelector(".pic");
  const after = Array.from(images.querySelectorAll(".pic")).find((other) => isBefore(tile, other));
  images.querySelector(".empty")?.remove();
  images.insertBefore(tile, after ?? images.querySelector(".tiles-more"));
}

/** By how sure their places are, where that is the order, and then by their places in the batch. */
function isBefore({ dataset: one }, { dataset: other }) {
  const sureness = Number(other.sureness ?? 0) - Number(one.sureness ?? 0);
  return sureness > 0 || (sureness === 0 && Number(other.position) > Number(one.position));
}
