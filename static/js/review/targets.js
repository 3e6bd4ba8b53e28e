// The groups beside an opened one, to move images to: their counts and names, those that came and went.
import { make } from "../base/html.js";

export class Targets {
  constructor(root) {
    this.list = root.querySelector("[data-target-list]");
    this.open = root.dataset.openGroup ?? null;
    this.known = null; // labels of the groups: one that is not among them is new
  }

  show(groups) {
    const byLabel = new Map(groups.map((group) => [group.label, group]));
    const targets = Array.from(this.list?.querySelectorAll("[data-move-to]") ?? []);
    const model = targets[0]?.parentElement;
    for (const target of targets) {
      const group = byLabel.get(target.dataset.moveTo);
      if (group) fill(target, group);
      else target.parentElement.remove();
      byLabel.delete(target.dataset.moveTo);
    }
    const isNew = ({ label }) => this.known?.has(label) === false && label !== this.open;
    const added = [...byLabel.values()].filter(isNew);
    for (const group of model ? added : []) this.list.prepend(targetLike(model, group));
    this.known = new Set(groups.map((group) => group.label));
  }
}

function fill(target, { title, count }) {
  target.dataset.title = title;
  target.querySelector(".clip").textContent = title;
  target.querySelector(".num").textContent = count;
}

function targetLike(model, group) {
  const item = model.cloneNode(true);
  const target = item.querySelector(".target");
  Object.assign(target.dataset, { moveTo: group.label, drop: group.label });
  fill(target, group);
  target.querySelector("[data-key-for]").dataset.keyFor = group.label;
  target.firstElementChild.replaceWith(make("span", { className: "target-blank" }));
  return item;
}
