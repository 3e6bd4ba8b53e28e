// What people do with pictures and groups: each is one call and one step of the history.
import { call, capital, catchUp, toastWithUndo } from "./batch_api.js";
import { parsed, wait } from "./http.js";
import { toast } from "./page.js";
import { ask, chooseGroup } from "./review_dialogs.js";
import { idOf } from "./review_pictures.js";

const JOB_STEPS_MS = [400, 800, 1500];
const MOST_FAILURES = 8;
const ENDED = new Set(["completed", "completed_with_errors", "failed", "cancelled"]);
const NOTE_MS = 4000;
const NOTE = "pix.review.note";
const images = (count) => `${count} picture${count === 1 ? "" : "s"}`;

/** Tell it on the page that comes next, as this one is left. */
export function tellLater(change) {
  try {
    sessionStorage.setItem(NOTE, JSON.stringify({ text: `${capital(change.summary)}.`, sequence: change.sequence }));
  } catch {
    // Then it is not told; the head of the page names the last step.
  }
}

export function tellNow() {
  let told = null;
  try {
    told = parsed(sessionStorage.getItem(NOTE) ?? "");
    sessionStorage.removeItem(NOTE);
  } catch {
    return;
  }
  if (told) toastWithUndo(told.text, told.sequence);
}

async function step(method, path, body) {
  const answer = await call(method, path, body);
  const change = answer.ok ? answer.body?.change : null;
  if (change) toastWithUndo(`${capital(change.summary)}.`, change.sequence);
  else if (answer.ok && answer.status !== 202) toast("It was so already.");
  return answer;
}

/** The job once it has ended; {} where it cannot be asked for several times in a row. */
async function ended(id, onTurn) {
  let failures = 0;
  for (let turn = 0; failures < MOST_FAILURES; turn += 1) {
    await wait(JOB_STEPS_MS[Math.min(turn, JOB_STEPS_MS.length - 1)]);
    const job = await asked(`/api/jobs/${id}/`);
    failures = job ? 0 : failures + 1;
    if (job && ENDED.has(job.status)) return job;
    if (job) onTurn(job.status === "queued");
  }
  return {};
}

async function asked(path) {
  try {
    const answer = await fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin" });
    return answer.ok ? parsed(await answer.text()) : null;
  } catch {
    return null;
  }
}

const groupPath = (label) => `groups/${encodeURIComponent(label)}/`;

export class Acts {
  /** `page` knows the groups, their numbers and the pictures. */
  constructor(page) { this.page = page; }

  get chosen() { return this.page.pictures.chosen; }

  /** The ids of what is chosen; without any a sentence says so. */
  ids(pictures = this.chosen) {
    if (!pictures.length) toast("Select pictures first: click them, or go to one with the arrows.");
    return pictures.map(idOf);
  }

  async moveTo(label, pictures = this.chosen) {
    const ids = this.ids(pictures);
    if (!ids.length) return;
    if (label !== null) this.page.numbers.use(label);
    this.page.pictures.clear();
    await step("POST", "groups/move/", { image_ids: ids, to: label });
  }

  async move() {
    const ids = this.ids();
    const pictures = this.chosen;
    if (!ids.length) return;
    const chosen = await chooseGroup(`Move ${images(ids.length)} to`, this.others(), { numbers: this.page.numbers.labels });
    if (chosen?.label !== undefined) await this.moveTo(chosen.label, pictures);
    else if (chosen) await this.makeGroup(chosen.name, pictures);
  }

  /** All groups but the one that is open. */
  others(label = this.page.openLabel) { return this.page.groups.filter((group) => group.label !== label); }

  async makeGroup(name, pictures) {
    const ids = this.ids(pictures);
    this.page.pictures.clear();
    await step("POST", "groups/", { name, image_ids: ids });
  }

  async create(pictures = this.chosen) {
    const ids = this.ids(pictures);
    if (!ids.length) return;
    const name = await ask(`A new group of ${images(ids.length)}`, "Name (can be given later)", { button: "Make it" });
    if (name !== null) await this.makeGroup(name, pictures);
  }

  async split() {
    const pictures = this.chosen;
    const group = this.page.groupOf(pictures[0]);
    const ids = this.ids(pictures);
    if (!ids.length) return;
    if (!group || pictures.some((picture) => this.page.groupOf(picture) !== group)) {
      toast("Pictures of one group can be split off; these are of several or of none.");
      return;
    }
    this.page.pictures.clear();
    await step("POST", "groups/split/", { label: group.dataset.group, image_ids: ids });
  }

  async splitByItself(group) {
    const { group: label, title } = group.dataset;
    const say = () => toast(`Looking for parts of ${title} …`);
    say();
    const saying = setInterval(say, NOTE_MS); // the answer may take ten seconds
    const answer = await step("POST", "groups/split/", { label, auto: true });
    clearInterval(saying);
    if (answer.status === 202) await this.follow(answer.body.job, `Splitting ${title}`);
    else if (answer.ok && !answer.body.change) toast(answer.body.notes?.[0] ?? `${title} has no parts.`);
  }

  /** Tell how far a split is until it has ended, and then what it did. */
  async follow(id, words) {
    const { status, operations } = await ended(id, (isQueued) => toast(`${words} … ${isQueued ? "waiting for a worker" : "working"}`));
    const [operation] = operations ?? [];
    if (status !== "completed") {
      const why = operation?.error?.detail ?? (status ?? "Pix cannot be reached");
      toast(`${words} ended without a result: ${why.replace(/\.$/, "")}.`);
      return;
    }
    const change = (await catchUp()).find(({ kind }) => kind === "split");
    if (change) toastWithUndo(`${capital(change.summary)}.`, change.sequence);
    else if (!operation?.result?.moved) toast(operation?.result?.notes?.[0] ?? `${words}: it has no parts.`);
  }

  async decide(decision, reason = "") {
    const pictures = this.chosen;
    const ids = this.ids(pictures);
    if (!ids.length) return;
    const isSo = pictures.every((picture) => picture.classList.contains(decision));
    const body = { image_ids: ids, decision: isSo && !reason ? "pending" : decision };
    if (reason) body.reason = reason;
    await step("POST", "groups/decide/", body);
  }

  async reject() {
    const ids = this.ids();
    if (!ids.length) return;
    const reason = await ask(`Reject ${images(ids.length)}`, "Why (may stay empty)", { button: "Reject", max: 500 });
    if (reason !== null) await this.decide("rejected", reason);
  }

  async reset() {
    const ids = this.ids();
    if (ids.length) await step("POST", "groups/decide/", { image_ids: ids, decision: "pending" });
  }

  async lock() {
    const pictures = this.chosen;
    const ids = this.ids(pictures);
    if (!ids.length) return;
    const locked = !pictures.every((picture) => picture.classList.contains("locked"));
    await step("POST", "groups/lock/", { image_ids: ids, locked });
  }

  decidePair(keep, other, verdict) {
    return step("POST", "near-duplicates/resolve/", { decisions: [{ keep, others: [other] }], verdict });
  }

  async cover() {
    const [picture, ...more] = this.chosen;
    const group = picture && this.page.groupOf(picture);
    if (!group || more.length) return void toast("Select the one picture of a group that is to be its cover.");
    await step("PATCH", groupPath(group.dataset.group), { cover: idOf(picture) });
  }

  async setStatus(group, status) {
    await step("PATCH", groupPath(group.dataset.group), { status });
  }

  async merge(group) {
    const { group: label, title, count } = group.dataset;
    const chosen = await chooseGroup(`Merge ${title} (${count}) into`, this.others(label), { allowsNew: false, numbers: this.page.numbers.labels });
    if (chosen) await step("POST", "groups/merge/", { into: chosen.label, from: [label] });
  }

  async dissolve(group) {
    await step("DELETE", groupPath(group.dataset.group));
  }

  /** The name becomes a field in its place: Enter keeps it, Escape does not. */
  rename(group) {
    const heading = group.querySelector("h2");
    if (!heading || group.querySelector(".rename")) return;
    const field = document.createElement("input");
    Object.assign(field, { type: "text", className: "rename", value: group.dataset.name, maxLength: 200, placeholder: group.dataset.title });
    field.setAttribute("aria-label", `Name of ${group.dataset.title}`);
    heading.hidden = true;
    heading.after(field);
    field.select();
    let isOver = false;
    const end = async (isKept) => {
      if (isOver) return;
      isOver = true;
      const name = field.value.trim();
      field.remove();
      heading.hidden = false;
      this.page.pictures.focus(this.page.pictures.current?.isConnected ? this.page.pictures.current : group.querySelector(".pic"));
      if (isKept && name !== group.dataset.name) await step("PATCH", groupPath(group.dataset.group), { name });
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") { event.preventDefault(); end(true); }
      if (event.key === "Escape") end(false);
    });
    field.addEventListener("blur", () => end(true));
  }

  place(label, id) { return step("POST", "groups/move/", { image_ids: [id], to: label }); }

  accept(which) { return step("POST", "suggestions/accept/", which); }
}
