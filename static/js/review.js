// The review page: correct the proposed groups, by mouse, finger or key.
import { onChanged, showPendingChange } from "./batches/api.js";
import { Actions } from "./review/actions.js";
import { commands } from "./review/commands.js";
import { Drag } from "./review/drag.js";
import { Images, isSelected } from "./review/images.js";
import { listenToKeys } from "./review/keys.js";
import { Numbers } from "./review/numbers.js";
import { Panel } from "./review/panel.js";
import { Suggestions } from "./review/suggestions.js";
import { Sync } from "./review/sync.js";
import { Targets } from "./review/targets.js";

/** The parts of the page, and what a click, a drop or a key is about. */
class ReviewPage {
  constructor(root) {
    this.root = root;
    this.base = root.dataset.base;
    this.openLabel = root.dataset.openGroup ?? null;
    this.mayEdit = "mayEdit" in root.dataset;
    this.groups = [];
    this.numbers = new Numbers(root.dataset.batch, JSON.parse(document.getElementById("group-keys").textContent));
    this.panel = new Panel(this);
    this.images = new Images(root, {
      onOpen: (tile) => this.panel.open(tile),
      onSelect: (images) => this.afterSelection(images),
    });
    this.actions = new Actions(this);
    this.suggestions = new Suggestions(this);
    this.targets = new Targets(root);
    this.sync = new Sync(this);
    this.commands = commands(this);
    if (this.mayEdit) this.initDrag();
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("submit", (event) => { if (event.target.id === "review-form") event.preventDefault(); });
    document.body.addEventListener("htmx:afterSettle", () => this.afterMoreLoaded());
    onChanged((changes, isMine) => this.sync.run(changes, isMine));
    listenToKeys(this);
    root.classList.add("is-live");
    showPendingChange();
    this.sync.run();
  }

  /** The strip or the head that stands for an image's group; null for an image in no group. */
  groupOf(tile) {
    if (!tile) return null;
    if (this.openLabel !== null) return document.querySelector("#group-title[data-group]");
    return tile.closest(".strip[data-group]");
  }

  /** The group that a key is about. */
  get group() {
    if (this.openLabel !== null) return document.querySelector("#group-title[data-group]");
    return document.activeElement?.closest?.(".strip[data-group]") ?? this.groupOf(this.images.current);
  }

  afterSelection(images) {
    const hasAny = images.chosen.length > 0;
    for (const target of this.root.querySelectorAll(".target")) target.disabled = !hasAny;
    this.panel.follow(images.current);
  }

  initDrag() {
    new Drag(this.root, {
      grab: (tile) => (isSelected(tile) ? this.images.selected : [tile]),
      drop: (target, carried) => this.dropped(target, carried),
    });
  }

  dropped(target, carried) {
    if ("dropNew" in target.dataset) return this.actions.create(carried);
    const label = target.dataset.drop || null;
    const from = this.openLabel ?? carried[0].closest("[data-drop]")?.dataset.drop;
    const isSame = (label ?? "") === from && this.openLabel === null && carried.every((tile) => target.contains(tile));
    return isSame ? undefined : this.actions.moveTo(label, carried);
  }

  clicked(event) {
    const button = event.target.closest("[data-act], [data-move-to], [data-place], [data-accept-group]");
    if (!button) return;
    event.preventDefault();
    button.closest("details.menu")?.removeAttribute("open");
    const { act, moveTo, place, of, acceptGroup } = button.dataset;
    if (moveTo !== undefined) this.actions.moveTo(moveTo);
    else if (place !== undefined) this.actions.place(place, of);
    else if (acceptGroup !== undefined) this.actions.accept({ group_label: acceptGroup });
    else if (act === "compare") this.panel.compare(button.dataset.with);
    else if (act === "keep") this.panel.decide(button.dataset.keep);
    else if (button.closest(".panel-tools")) this.runOnShown(act);
    else this.run(act, button.closest("[data-group]") ?? this.group);
  }

  /** The panel's own buttons are about the image that it shows, whatever else is selected. */
  runOnShown(name) {
    const { tile } = this.panel;
    if (!tile) return;
    this.images.only(tile);
    this.run(name);
  }

  /** Run a command; `group` is what it is about, for commands on a group. Answers false when there is nothing to do. */
  run(name, group = this.group) {
    const { onPage, onImages, onGroup } = this.commands;
    if (onPage[name]) return onPage[name]();
    if (!this.mayEdit) return false;
    if (onImages[name]) return onImages[name]();
    return group && onGroup[name] ? onGroup[name](group) : false;
  }

  follow(selector) {
    const link = document.querySelector(`${selector}[href]`);
    if (link) location.assign(link.href);
  }

  /** More strips or images came while scrolling; a group that has moved in the order is not shown twice. */
  afterMoreLoaded() {
    const ids = new Set();
    for (const strip of this.root.querySelectorAll(".strip")) {
      if (ids.has(strip.id)) strip.remove();
      ids.add(strip.id);
    }
    this.images.rove();
    this.numbers.show(this.root);
    this.suggestions.init();
  }
}

const root = document.querySelector("[data-review]");
if (root) new ReviewPage(root);
