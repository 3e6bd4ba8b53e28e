// The dialogs that review and map share: choose a group, ask for a name or a reason.
import { Combobox } from "../base/combobox.js";
import { make } from "../base/html.js";

const MOST_SHOWN = 60;

/** Open a dialog; resolves when it closes, to its return value. */
function whenClosed(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

const coverOf = ({ cover }) => (cover
  ? make("img", { src: `/api/images/${cover}/thumbnail/?size=64`, alt: "", width: 32, height: 32, loading: "lazy" })
  : make("span", { className: "target-blank" }));

let chooser = null;
function theChooser() {
  if (chooser) return chooser;
  const dialog = document.getElementById("chooser");
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(""); });
  chooser = new Combobox(dialog.querySelector("#chooser-search"), dialog.querySelector("#chooser-list"), {
    find: () => [],
    emptyText: "No group has this name.",
    onChoose: (value) => dialog.close(JSON.stringify(value)),
  });
  return Object.assign(chooser, { dialog });
}

/**
 * Let people choose a group by its name; answers { label }, { name } of a new one, or null.
 *
 * `groups`: { label, title, count }; `numbers`: the labels that the keys 1 to 9 stand for.
 */
export async function chooseGroup(title, groups, { allowsNew = true, numbers = [], signOf = coverOf } = {}) {
  const box = theChooser();
  const lineOf = (group) => {
    const parts = [
      signOf(group),
      make("span", { className: "clip", textContent: group.title }),
      make("span", { className: "num faint", textContent: group.count }),
    ];
    const key = numbers.indexOf(group.label) + 1;
    if (key) parts.push(make("kbd", { textContent: key }));
    return { value: { label: group.label }, parts };
  };
  box.find = (text) => {
    const lowered = text.toLocaleLowerCase();
    const fitting = groups.filter((group) => group.title.toLocaleLowerCase().includes(lowered));
    const lines = fitting.slice(0, MOST_SHOWN).map(lineOf);
    if (allowsNew && !fitting.some((group) => group.title.toLocaleLowerCase() === lowered)) {
      const label = text ? `New group “${text}”` : "New group";
      lines.push({ value: { name: text }, parts: [label], className: "chooser-new" });
    }
    return lines;
  };
  box.dialog.querySelector("h2").textContent = title;
  box.field.value = "";
  const closed = whenClosed(box.dialog);
  box.refresh();
  box.field.focus();
  return JSON.parse((await closed) || "null");
}

/** Ask for a short text, which may stay empty; answers null when it is cancelled. */
export async function askText(title, label, { button, maxLength = 200 }) {
  const dialog = document.getElementById("ask");
  dialog.querySelector("#ask-title").textContent = title;
  dialog.querySelector("#ask-label").textContent = label;
  dialog.querySelector("#ask-ok").textContent = button;
  const input = Object.assign(dialog.querySelector("#ask-text"), { value: "", maxLength });
  const closed = whenClosed(dialog);
  input.select();
  return (await closed) === "ok" ? input.value.trim() : null;
}
