// The numbers 1 to 9 of groups. They stay while somebody works: a key means the same group after every change.
import { session } from "../base/storage.js";

const SLOTS = 9;

export class Numbers {
  constructor(batch, largest) {
    this.name = `pix.numbers.${batch}`;
    this.labels = this.stored() ?? largest;
    this.used = []; // the last one is the one used last
  }

  stored() {
    const labels = session.getJson(this.name);
    return Array.isArray(labels) ? labels.filter((label) => typeof label === "string" || label === null) : null;
  }

  label(number) { return this.labels[number - 1] ?? null; }

  /** Take out groups that are gone and fill their places with the largest that have no number. */
  fit(groups) {
    const known = new Set(groups.map((group) => group.label));
    this.labels = this.labels.slice(0, SLOTS).map((label) => (known.has(label) ? label : null));
    const free = groups.map((group) => group.label).filter((label) => !this.labels.includes(label));
    for (let slot = 0; slot < SLOTS; slot += 1) this.labels[slot] ??= free.shift() ?? null;
    this.keep();
  }

  /** A group that was chosen gets a number: that of the one unused for longest. */
  use(label) {
    this.used = [...this.used.filter((other) => other !== label), label];
    if (this.labels.includes(label)) return;
    const idle = this.labels.findLastIndex((other) => other === null || !this.used.includes(other));
    const oldest = this.labels.indexOf(this.used.find((other) => this.labels.includes(other)));
    this.labels[idle >= 0 ? idle : Math.max(0, oldest)] = label;
    this.keep();
  }

  keep() { session.setJson(this.name, this.labels); }

  show(root) {
    for (const mark of root.querySelectorAll("[data-key-for]")) {
      const number = this.labels.indexOf(mark.dataset.keyFor) + 1;
      mark.hidden = number === 0;
      mark.textContent = number || "";
    }
  }
}
