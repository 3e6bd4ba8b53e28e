// The dialogs of the review page: choose a group, ask for a text, the list of keys.

const SHOWN = 60;

/** Let people choose a group by its name; answers { label }, { name } of a new one, or null. */
export function chooseGroup(title, groups, { allowsNew = true, numbers = [] } = {}) {
  const dialog = document.getElementById("chooser");
  const search = dialog.querySelector("#chooser-search");
  const list = dialog.querySelector("#chooser-list");
  const none = dialog.querySelector("#chooser-none");
  dialog.querySelector("h2").textContent = title;
  search.value = "";
  let rows = [];
  let at = 0;

  const mark = (index) => {
    at = Math.max(0, Math.min(index, rows.length - 1));
    rows.forEach((row, number) => row.item.setAttribute("aria-selected", String(number === at)));
    const item = rows[at]?.item;
    item?.scrollIntoView({ block: "nearest" });
    if (item) search.setAttribute("aria-activedescendant", item.id);
    else search.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    const words = search.value.trim().toLocaleLowerCase();
    const found = groups.filter((group) => group.title.toLocaleLowerCase().includes(words)).slice(0, SHOWN);
    rows = found.map((group) => ({ item: option(group, numbers.indexOf(group.label) + 1), answer: { label: group.label } }));
    const isKnown = found.some((group) => group.title.toLocaleLowerCase() === words);
    if (allowsNew && !isKnown) rows.push({ item: newOption(search.value.trim()), answer: { name: search.value.trim() } });
    rows.forEach((row, index) => {
      row.item.id = `chooser-option-${index}`;
      row.item.addEventListener("click", () => finish(row.answer));
    });
    list.replaceChildren(...rows.map((row) => row.item));
    none.hidden = rows.length > 0;
    mark(0);
  };
  let finish;
  return new Promise((resolve) => {
    const over = new AbortController();
    finish = (answer) => {
      over.abort();
      dialog.close();
      resolve(answer);
    };
    search.addEventListener("input", show, over);
    search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") mark(at + 1);
      else if (event.key === "ArrowUp") mark(at - 1);
      else if (event.key === "Enter") { if (rows[at]) finish(rows[at].answer); }
      else return;
      event.preventDefault();
    }, over);
    dialog.addEventListener("close", () => finish(null), over);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) finish(null); }, over);
    show();
    dialog.showModal();
    search.focus();
  });
}

function option(group, number) {
  const item = document.createElement("li");
  item.role = "option";
  const picture = document.createElement(group.cover ? "img" : "span");
  if (group.cover) Object.assign(picture, { src: `/api/images/${group.cover}/thumbnail/?size=64`, alt: "", width: 32, height: 32, loading: "lazy" });
  else picture.className = "target-blank";
  const name = document.createElement("span");
  name.className = "clip";
  name.textContent = group.title;
  const count = document.createElement("span");
  count.className = "num faint";
  count.textContent = group.count;
  item.append(picture, name, count);
  if (number) item.append(Object.assign(document.createElement("kbd"), { textContent: number }));
  return item;
}

function newOption(text) {
  const item = document.createElement("li");
  item.role = "option";
  item.className = "chooser-new";
  item.textContent = text ? `New group “${text}”` : "New group";
  return item;
}

/** Ask for a short text, which may stay empty; answers null when somebody thinks better of it. */
export function ask(title, label, { button = "OK", max = 200, value = "" } = {}) {
  const dialog = document.getElementById("ask");
  dialog.querySelector("#ask-title").textContent = title;
  dialog.querySelector("#ask-label").textContent = label;
  dialog.querySelector("#ask-ok").textContent = button;
  const input = dialog.querySelector("#ask-text");
  Object.assign(input, { value, maxLength: max });
  dialog.returnValue = "";
  dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? input.value.trim() : null), { once: true });
  });
}

const KEYS_STORED = "pix.review.keys";

export function keysAreOn() {
  try {
    return localStorage.getItem(KEYS_STORED) !== "off";
  } catch {
    return true;
  }
}

export function showHelp() {
  const dialog = document.getElementById("help");
  const box = dialog.querySelector("#keys-on");
  box.checked = keysAreOn();
  box.onchange = () => {
    try {
      localStorage.setItem(KEYS_STORED, box.checked ? "on" : "off");
    } catch {
      // Without storage the keys stay on.
    }
  };
  dialog.showModal();
}
