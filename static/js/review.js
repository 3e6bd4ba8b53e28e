// The review page: turn the machine's groups into right ones, by hand or by key.
import { onChanged, redo, undo } from "./batch_api.js";
import { Acts, tellLater, tellNow } from "./review_acts.js";
import { showHelp } from "./review_dialogs.js";
import { Drag } from "./review_drag.js";
import { listenToKeys } from "./review_keys.js";
import { Numbers } from "./review_numbers.js";
import { Panel } from "./review_panel.js";
import { Pictures, isSelected } from "./review_pictures.js";
import { Suggestions } from "./review_suggestions.js";
import { Targets } from "./review_targets.js";

class Review {
  constructor(root) {
    this.root = root;
    this.base = root.dataset.base;
    this.version = Number(root.dataset.version);
    this.openLabel = root.dataset.openGroup ?? null;
    this.mayEdit = "mayEdit" in root.dataset;
    this.groups = [];
    this.known = null; // ids of the groups: one that is not among them is new
    this.numbers = new Numbers(root.dataset.batch, JSON.parse(document.getElementById("group-keys").textContent));
    this.panel = new Panel(this);
    this.pictures = new Pictures(root, {
      onOpen: (picture) => this.panel.open(picture),
      onSelect: (pictures) => this.selected(pictures),
    });
    this.acts = new Acts(this);
    this.suggestions = new Suggestions(this);
    this.targets = new Targets(root);
    if (this.mayEdit) new Drag(root, { grab: (picture) => this.grabbed(picture), drop: (target, carried) => this.dropped(target, carried) });
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("submit", (event) => { if (event.target.id === "review-form") event.preventDefault(); });
    document.body.addEventListener("htmx:afterSettle", () => this.grown());
    onChanged((changes, isMine) => this.sync(changes, isMine));
    listenToKeys(this);
    root.classList.add("is-live");
    tellNow();
    this.sync();
  }

  // Groups

  /** The strip or the head that stands for a picture's group; null for one that is in none. */
  groupOf(picture) {
    if (!picture) return null;
    if (this.openLabel !== null) return document.querySelector("#group-title[data-group]");
    return picture.closest(".strip[data-group]");
  }

  /** The group that a key is about. */
  get group() {
    if (this.openLabel !== null) return document.querySelector("#group-title[data-group]");
    return document.activeElement?.closest?.(".strip[data-group]") ?? this.groupOf(this.pictures.current);
  }

  // Selecting and dragging

  selected(pictures) {
    const hasAny = pictures.chosen.length > 0;
    for (const target of this.root.querySelectorAll(".target")) target.disabled = !hasAny;
    this.panel.follow(pictures.current);
  }

  grabbed(picture) { return isSelected(picture) ? this.pictures.selected : [picture]; }

  dropped(target, carried) {
    if ("dropNew" in target.dataset) return this.acts.create(carried);
    const label = target.dataset.drop || null;
    const from = this.openLabel ?? carried[0].closest("[data-drop]")?.dataset.drop;
    if ((label ?? "") === from && this.openLabel === null && carried.every((picture) => target.contains(picture))) return undefined;
    return this.acts.moveTo(label, carried);
  }

  // Buttons

  clicked(event) {
    const button = event.target.closest("[data-act], [data-move-to], [data-place], [data-accept-group]");
    if (!button) return;
    event.preventDefault();
    button.closest("details.menu")?.removeAttribute("open");
    const { act, moveTo, place, of, acceptGroup } = button.dataset;
    if (moveTo !== undefined) this.acts.moveTo(moveTo);
    else if (place !== undefined) this.acts.place(place, of);
    else if (acceptGroup !== undefined) this.acts.accept({ group_label: acceptGroup });
    else if (button.closest(".panel-tools")) this.onShown(act);
    else if (act === "compare") this.panel.compare(button.dataset.with);
    else if (act === "keep") this.panel.decide(button.dataset.keep);
    else this.act(act, button.closest("[data-group]") ?? this.group);
  }

  /** The panel's own buttons are about the picture that it shows, whatever else is selected. */
  onShown(act) {
    const [picture] = this.panel.pictures;
    if (!picture) return;
    this.pictures.only(picture);
    this.act(act);
  }

  /** Do what a button or a key says; `group` is what it is about, for acts on a group. */
  act(name, group = this.group) {
    const { acts, pictures, panel } = this;
    const onPictures = {
      move: () => acts.move(),
      new: () => acts.create(),
      split: () => acts.split(),
      accept: () => acts.decide("accepted"),
      reject: () => acts.reject(),
      "reject-now": () => acts.decide("rejected"),
      reset: () => acts.reset(),
      unassign: () => acts.moveTo(null),
      cover: () => acts.cover(),
      lock: () => acts.lock(),
      apart: () => panel.decide(null),
    };
    const onGroup = {
      rename: () => acts.rename(group),
      confirm: () => this.confirm(group),
      reopen: () => acts.setStatus(group, "open"),
      merge: () => acts.merge(group),
      "split-auto": () => acts.splitByItself(group),
      delete: () => acts.dissolve(group),
    };
    const onPage = {
      undo: () => undo(),
      redo: () => redo(),
      look: () => panel.open(pictures.chosen[0]),
      all: () => pictures.selectAll(),
      none: () => pictures.clear(),
      help: showHelp,
      "panel-close": () => panel.close(),
      "compare-end": () => panel.compare(null),
      "panel-before": () => panel.go("ArrowLeft"),
      "panel-after": () => panel.go("ArrowRight"),
      "accept-near": () => acts.accept({ max_distance: this.suggestions.distance }),
      unassigned: () => this.suggestions.toggle(),
    };
    if (onPage[name]) return onPage[name]();
    if (!this.mayEdit) return undefined;
    if (onPictures[name]) return onPictures[name]();
    return group ? onGroup[name]?.() : undefined;
  }

  /** Confirmed already: on to the next one. */
  async confirm(group) {
    if (group.dataset.status !== "confirmed") await this.acts.setStatus(group, "confirmed");
    else if (this.openLabel !== null) this.follow("[data-next-group]");
    else this.acts.setStatus(group, "open");
  }

  follow(selector) {
    const link = document.querySelector(`${selector}[href]`);
    if (link) location.assign(link.href);
  }

  // What changed

  /** Show what changed since the version that is shown, one after the other. */
  sync(changes = [], isMine = true) {
    this.syncing = (this.syncing ?? Promise.resolve()).then(() => this.synced(changes, isMine)).catch(() => undefined);
    return this.syncing;
  }

  async synced(changes, isMine) {
    const asked = new URLSearchParams({ since: this.version, order: this.root.dataset.order });
    if (this.openLabel !== null) asked.set("group", this.openLabel);
    const answer = await fetch(`${this.base}sync/?${asked}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const told = await answer.json();
    if (told.is_gone || told.reload) {
      if (isMine && changes[0]) tellLater(changes[0]);
      if (told.is_gone) location.assign(this.root.dataset.nextOpen ?? this.base);
      else location.reload();
      return;
    }
    this.version = told.version;
    this.pictures.keepingFocus(() => this.show(told));
    if (this.panel.isOpen && changes.length) this.panel.load();
    if (changes.length) this.suggestions.refresh();
  }

  show(told) {
    this.groups = told.groups;
    this.numbers.fit(told.groups);
    for (const [id, html] of Object.entries(told.strips)) this.showStrip(id, html);
    for (const [id, html] of Object.entries(told.images)) this.showPicture(id, html);
    this.known = new Set(told.groups.map((group) => group.id));
    const title = document.getElementById("group-title");
    if (told.title && title && !title.querySelector(".rename")) replace(title, told.title);
    replace(document.getElementById("review-progress"), told.progress);
    const onward = this.root.querySelector("[data-continue]");
    if (onward && told.next_open) onward.href = told.next_open;
    else onward?.remove();
    this.suggestions.showCount(told.unassigned);
    this.targets.show(told.groups);
    this.numbers.show(this.root);
    for (const field of this.root.querySelectorAll('input[name="version"]')) field.value = told.version;
  }

  showStrip(id, html) {
    const strip = document.getElementById(`g-${id}`);
    if (strip && html === null) leave(strip);
    else if (strip) replace(strip, html);
    else if (html !== null && this.known && !this.known.has(id)) this.addStrip(html);
  }

  addStrip(html) {
    const strips = document.getElementById("strips");
    strips?.querySelector(".empty")?.remove();
    if (!strips) return;
    strips.insertAdjacentHTML("afterbegin", html);
    strips.firstElementChild.classList.add("is-new");
    window.htmx.process(strips.firstElementChild);
  }

  showPicture(id, html) {
    const picture = this.pictures.find(id);
    if (picture && html === null) picture.remove();
    else if (picture) replace(picture, html);
    else if (html !== null) this.addPicture(html);
  }

  /** At its place in the order, as far as that is shown. */
  addPicture(html) {
    const pictures = document.getElementById("pictures");
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = template.content.querySelector(".pic");
    const after = Array.from(pictures.querySelectorAll(".pic")).find((other) => isBefore(fresh, other));
    pictures.querySelector(".empty")?.remove();
    pictures.insertBefore(fresh, after ?? pictures.querySelector(".tiles-more"));
  }

  /** More strips or pictures came while scrolling; a group that has moved in the order is not shown twice. */
  grown() {
    const seen = new Set();
    for (const strip of this.root.querySelectorAll(".strip")) {
      if (seen.has(strip.id)) strip.remove();
      seen.add(strip.id);
    }
    this.pictures.rove();
    this.numbers.show(this.root);
    this.suggestions.shown();
  }
}

/** By how sure their places are, where that is the order, and then by their places in the batch. */
function isBefore(picture, other) {
  const [sureness, position] = [picture, other].map(({ dataset }) => [Number(dataset.sureness ?? 0), Number(dataset.position)])
    .reduce((one, two) => [two[0] - one[0], two[1] - one[1]]);
  return sureness > 0 || (sureness === 0 && position > 0);
}

function replace(element, html) {
  if (!element) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.querySelector("*");
  const held = element.contains(document.activeElement) ? document.activeElement : null;
  element.replaceWith(fresh);
  if (held && !held.closest(".pic")) placeOf(fresh, held.dataset.act)?.focus({ preventScroll: true });
  else if (held) pictureLink(fresh, held.closest(".pic").dataset.image)?.focus({ preventScroll: true });
}

function pictureLink(part, id) {
  const same = part.matches(".pic") ? part : part.querySelector(`.pic[data-image="${id}"]`);
  return same?.querySelector(".pic-link") ?? null;
}

/** Where the focus goes on in a part that was made anew. */
function placeOf(part, act) {
  const same = act ? part.querySelector(`[data-act="${act}"]`) : null;
  return same ?? part.querySelector("[data-next-group], .strip-tools button, [data-open], .pic-link");
}

/** Take a strip away; the focus goes to the next one. */
function leave(strip) {
  const next = strip.nextElementSibling ?? strip.previousElementSibling;
  const hadFocus = strip.contains(document.activeElement);
  strip.remove();
  if (hadFocus) next?.querySelector(".pic-link, [data-open]")?.focus({ preventScroll: true });
}

const root = document.querySelector("[data-review]");
if (root) new Review(root);
