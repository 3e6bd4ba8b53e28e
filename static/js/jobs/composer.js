// Choosing operations: a card that is chosen moves into the ordered list, where its parameters are set.

function typedValue(parameter) {
  const input = parameter.querySelector("[data-value]");
  const type = parameter.dataset.type;
  if (type === "boolean") return input.checked;
  const text = input.value.trim();
  if (input.validity?.badInput) return "not a number"; // the browser hides what was typed; the API refuses this by name
  if (text === "") return undefined;
  return type === "integer" || type === "number" ? Number(text) : text;
}

export class Composer {
  constructor(form, { onChange }) {
    this.form = form;
    this.onChange = onChange;
    this.box = form.querySelector("[data-chosen-box]");
    this.list = form.querySelector("[data-chosen]");
    this.modeBox = form.querySelector("[data-mode-box]");
    this.homes = new Map();
    for (const op of form.querySelectorAll("[data-operation]")) this.adopt(op);
    this.initRecipes();
    form.addEventListener("input", (event) => this.paired(event.target));
    form.addEventListener("change", (event) => { if (event.target.name === "mode") this.refresh(); });
    this.refresh();
  }

  adopt(op) {
    const mark = document.createComment(op.dataset.operation);
    op.before(mark);
    this.homes.set(op.dataset.operation, { op, mark });
    // Browsers restore fields by their position, and chosen operations have moved: another one would be ticked.
    for (const field of op.querySelectorAll("input, select, textarea")) field.autocomplete = "off";
    const box = op.querySelector('input[name="operation"]');
    box.addEventListener("change", () => {
      if (box.checked) this.choose(op.dataset.operation, true);
      else this.drop(op.dataset.operation);
    });
    op.querySelector("[data-remove]").addEventListener("click", () => this.drop(op.dataset.operation, true));
    for (const button of op.querySelectorAll("[data-move]")) {
      button.addEventListener("click", () => this.move(op, button.dataset.move, button));
    }
    if (box.checked) this.choose(op.dataset.operation); // the server shows again what it refused
  }

  choose(name, isByHand = false) {
    const { op } = this.homes.get(name) ?? {};
    if (!op || op.closest("[data-chosen]")) return;
    op.querySelector('input[name="operation"]').checked = true;
    op.querySelector(".op-tools").hidden = false;
    const item = document.createElement("li");
    item.append(op);
    this.list.append(item);
    this.refresh();
    if (!isByHand) return;
    const field = op.querySelector("[data-value]:not([type=hidden])") ?? op.querySelector("[data-remove]");
    field.focus({ preventScroll: true });
  }

  drop(name, isByHand = false) {
    const { op, mark } = this.homes.get(name);
    const item = op.closest("li");
    op.querySelector('input[name="operation"]').checked = false;
    op.querySelector(".op-tools").hidden = true;
    this.showError(op, null);
    mark.after(op);
    item?.remove();
    this.refresh();
    if (isByHand) op.querySelector('input[name="operation"]').focus({ preventScroll: true });
  }

  move(op, direction, button) {
    const item = op.closest("li");
    if (direction === "up") item.previousElementSibling?.before(item);
    else item.nextElementSibling?.after(item);
    this.refresh();
    button.focus();
  }

  initRecipes() {
    const box = this.form.querySelector("[data-recipes]");
    if (!box) return;
    box.hidden = false;
    for (const button of box.querySelectorAll("[data-recipe]")) {
      const recipe = JSON.parse(button.nextElementSibling.textContent);
      button.addEventListener("click", () => {
        this.apply(recipe);
        this.box.scrollIntoView({ block: "nearest", behavior: "smooth" });
      });
    }
  }

  apply(recipe) {
    for (const name of this.chosenNames()) this.drop(name);
    for (const [name, values] of Object.entries(recipe.steps)) {
      this.choose(name);
      for (const [key, value] of Object.entries(values)) this.fill(name, key, value);
    }
    const mode = recipe.is_pipeline ? "pipeline" : "separate";
    this.form.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
    this.refresh();
  }

  fill(name, key, value) {
    const input = this.homes.get(name)?.op.querySelector(`[data-parameter="${key}"] [data-value]`);
    if (!input) return;
    if (input.type === "checkbox") input.checked = Boolean(value);
    else input.value = value;
    this.paired(input);
  }

  /** A slider and the number beside it show the same value. */
  paired(input) {
    if (input.dataset?.pair) document.getElementById(input.dataset.pair).value = input.value;
    else if (input.id) {
      const slider = this.form.querySelector(`[data-pair="${CSS.escape(input.id)}"]`);
      if (slider) slider.value = input.value;
    }
    const parameter = input.closest?.("[data-parameter]");
    if (parameter) this.clearError(parameter);
    this.onChange();
  }

  chosenNames() {
    return Array.from(this.list.querySelectorAll("[data-operation]"), (op) => op.dataset.operation);
  }

  get isPipeline() {
    return this.chosenNames().length > 1 && this.form.querySelector('input[name="mode"]:checked')?.value === "pipeline";
  }

  steps() {
    return Array.from(this.list.querySelectorAll("[data-operation]"), (op) => {
      const parameters = {};
      for (const parameter of op.querySelectorAll("[data-parameter]")) {
        const value = typedValue(parameter);
        if (value !== undefined) parameters[parameter.dataset.parameter] = value;
      }
      return { name: op.dataset.operation, parameters };
    });
  }

  refresh() {
    const names = this.chosenNames();
    this.box.hidden = names.length === 0;
    this.modeBox.hidden = names.length < 2;
    this.list.dataset.mode = this.isPipeline ? "pipeline" : "separate";
    this.form.querySelector("[data-mode-help]").textContent = this.isPipeline
      ? "All operations are applied in order, from top to bottom: one result per image."
      : "Each operation is applied to the original: one result per operation.";
    const items = Array.from(this.list.children);
    items.forEach((item, index) => {
      item.querySelector('[data-move="up"]').hidden = !this.isPipeline || index === 0;
      item.querySelector('[data-move="down"]').hidden = !this.isPipeline || index === items.length - 1;
    });
    this.onChange();
  }

  /** Put the API's sentences beside the fields that they are about; answers those without a place. */
  showErrors(errors) {
    const ops = Array.from(this.list.querySelectorAll("[data-operation]"));
    let first = null;
    const homeless = [];
    for (const error of errors) {
      const match = /^(?:operations|pipeline)\[(\d+)\](?:\.parameters\.(.+))?$/.exec(error.field ?? "");
      const op = match && ops[Number(match[1])];
      const parameter = op && match[2] && op.querySelector(`[data-parameter="${CSS.escape(match[2])}"]`);
      if (!op) homeless.push(error);
      else {
        this.showError(op, error.detail, parameter);
        first ??= parameter?.querySelector("[data-value]") ?? op.querySelector("[data-remove]");
      }
    }
    first?.closest("details")?.setAttribute("open", "");
    first?.focus();
    return homeless;
  }

  showError(op, text, parameter = null) {
    for (const old of op.querySelectorAll(".field-error")) old.remove();
    for (const wrong of op.querySelectorAll(".is-wrong")) this.clearError(wrong);
    if (!text) return;
    const place = parameter ?? op.querySelector(".op-body");
    const note = document.createElement("p");
    note.className = "field-error error-text break";
    note.textContent = text;
    place.append(note);
    if (!parameter) return;
    parameter.classList.add("is-wrong");
    note.id = `${parameter.querySelector("[data-value]").id}-error`;
    parameter.querySelector("[data-value]").setAttribute("aria-invalid", "true");
    parameter.querySelector("[data-value]").setAttribute("aria-describedby", note.id);
  }

  clearError(parameter) {
    if (!parameter.classList.contains("is-wrong")) return;
    parameter.classList.remove("is-wrong");
    parameter.querySelector(".field-error")?.remove();
    parameter.querySelector("[data-value]").removeAttribute("aria-invalid");
  }
}
