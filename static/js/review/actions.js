// What people do with images and groups: each is one call and one step of the history.
import { toast } from "../base/notices.js";
import { plural } from "../base/text.js";
import { call, catchUp, showChange } from "../batches/api.js";
import { askText, chooseGroup } from "../batches/dialogs.js";
import { whenEnded } from "../jobs/following.js";
import { idOf } from "./images.js";
import { rename } from "./rename.js";

const NOTE_MS = 4000;

async function step(method, path, body) {
  const answer = await call(method, path, body);
  if (!answer.ok) return answer;
  if (answer.body?.change) showChange(answer.body.change);
  else if (answer.status !== 202) toast("Nothing changed.");
  return answer;
}

const groupPath = (label) => `groups/${encodeURIComponent(label)}/`;

export class Actions {
  /** `page` knows the groups, their numbers and the images. */
  constructor(page) { this.page = page; }

  get chosen() { return this.page.images.chosen; }

  /** The ids of what is chosen; without any a sentence says so. */
  ids(images = this.chosen) {
    if (!images.length) toast("Select images first: click them, or use the arrow keys.");
    return images.map(idOf);
  }

  async moveTo(label, images = this.chosen) {
    const ids = this.ids(images);
    if (!ids.length) return;
    if (label !== null) this.page.numbers.use(label);
    this.page.images.clear();
    await step("POST", "groups/move/", { image_ids: ids, to: label });
  }

  async move() {
    const ids = this.ids();
    const images = this.chosen;
    if (!ids.length) return;
    const numbers = this.page.numbers.labels;
    const chosen = await chooseGroup(`Move ${plural(ids.length, "image")} to`, await this.others(), { numbers });
    if (chosen?.label !== undefined) await this.moveTo(chosen.label, images);
    else if (chosen) await this.makeGroup(chosen.name, images);
  }

  /** All groups but this one, once they are known. */
  async others(label = this.page.openLabel) {
    await this.page.sync.running;
    return this.page.groups.filter((group) => group.label !== label);
  }

  async makeGroup(name, images) {
    const ids = this.ids(images);
    this.page.images.clear();
    await step("POST", "groups/", { name, image_ids: ids });
  }

  async create(images = this.chosen) {
    const ids = this.ids(images);
    if (!ids.length) return;
    const title = `New group of ${plural(ids.length, "image")}`;
    const name = await askText(title, "Name (optional)", { button: "Create group" });
    if (name !== null) await this.makeGroup(name, images);
  }

  async split() {
    const images = this.chosen;
    const group = this.page.groupOf(images[0]);
    const ids = this.ids(images);
    if (!ids.length) return;
    if (!group || images.some((tile) => this.page.groupOf(tile) !== group)) {
      toast("Select images of one group to split them off.");
      return;
    }
    this.page.images.clear();
    await step("POST", "groups/split/", { label: group.dataset.group, image_ids: ids });
  }

  async splitAutomatically(group) {
    const { group: label, title } = group.dataset;
    const say = () => toast(`Looking for parts of ${title} …`);
    say();
    const saying = setInterval(say, NOTE_MS); // the answer may take ten seconds
    const answer = await step("POST", "groups/split/", { label, auto: true });
    clearInterval(saying);
    if (answer.status === 202) await this.follow(answer.body.job, `Splitting ${title}`);
    else if (answer.ok && !answer.body.change) toast(answer.body.notes?.[0] ?? `${title} has no separate parts.`);
  }

  /** Show how far a split is until it has ended, and then what it did. */
  async follow(id, title) {
    const report = (isQueued) => toast(`${title} … ${isQueued ? "waiting for a worker" : "working"}`);
    const { status, operations } = await whenEnded(id, report);
    const [operation] = operations ?? [];
    if (status !== "completed") {
      const why = operation?.error?.detail ?? (status ?? "Pix could not be reached");
      toast(`${title} failed: ${why.replace(/\.$/, "")}.`);
      return;
    }
    const change = (await catchUp()).find(({ kind }) => kind === "split");
    if (change) showChange(change);
    else if (!operation?.result?.moved) {
      toast(operation?.result?.notes?.[0] ?? `${title}: no separate parts were found.`);
    }
  }

  async decide(decision, reason = "") {
    const images = this.chosen;
    const ids = this.ids(images);
    if (!ids.length) return;
    const isSo = images.every((tile) => tile.classList.contains(decision));
    const body = { image_ids: ids, decision: isSo && !reason ? "pending" : decision };
    if (reason) body.reason = reason;
    await step("POST", "groups/decide/", body);
  }

  async reject() {
    const ids = this.ids();
    if (!ids.length) return;
    const title = `Reject ${plural(ids.length, "image")}`;
    const reason = await askText(title, "Reason (optional)", { button: "Reject", maxLength: 500 });
    if (reason !== null) await this.decide("rejected", reason);
  }

  async reset() {
    const ids = this.ids();
    if (ids.length) await step("POST", "groups/decide/", { image_ids: ids, decision: "pending" });
  }

  async lock() {
    const images = this.chosen;
    const ids = this.ids(images);
    if (!ids.length) return;
    const locked = !images.every((tile) => tile.classList.contains("locked"));
    await step("POST", "groups/lock/", { image_ids: ids, locked });
  }

  decidePair(keep, other, verdict) {
    return step("POST", "near-duplicates/resolve/", { decisions: [{ keep, others: [other] }], verdict });
  }

  async cover() {
    const [tile, ...more] = this.chosen;
    const group = tile && this.page.groupOf(tile);
    if (!group || more.length) return void toast("Select one image of a group to make it the cover.");
    await step("PATCH", groupPath(group.dataset.group), { cover: idOf(tile) });
  }

  async setStatus(group, status) {
    await step("PATCH", groupPath(group.dataset.group), { status });
  }

  async merge(group) {
    const { group: label, title, count } = group.dataset;
    const options = { allowsNew: false, numbers: this.page.numbers.labels };
    const chosen = await chooseGroup(`Merge ${title} (${count}) into`, await this.others(label), options);
    if (chosen) await step("POST", "groups/merge/", { into: chosen.label, from: [label] });
  }

  async dissolve(group) {
    await step("DELETE", groupPath(group.dataset.group));
  }

  rename(group) {
    rename(group, {
      onSave: (name) => step("PATCH", groupPath(group.dataset.group), { name }),
      onEnd: () => {
        const { current } = this.page.images;
        this.page.images.focus(current?.isConnected ? current : group.querySelector(".pic"));
      },
    });
  }

  place(label, id) { return step("POST", "groups/move/", { image_ids: [id], to: label }); }

  accept(which) { return step("POST", "suggestions/accept/", which); }
}
