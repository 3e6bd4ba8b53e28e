// A group's name becomes a field in its place: Enter keeps what was typed, Escape does not.
import { make } from "../base/html.js";

export function rename(group, { onSave, onEnd }) {
  const heading = group.querySelector("h2");
  if (!heading || group.querySelector(".rename")) return;
  const { name, title } = group.dataset;
  const field = make("input", { type: "text", className: "rename", value: name, maxLength: 200, placeholder: title });
  field.setAttribute("aria-label", `Name of ${title}`);
  heading.hidden = true;
  heading.after(field);
  field.select();
  let isOver = false;
  const end = (isKept) => {
    if (isOver) return; // removing the field blurs it
    isOver = true;
    const typed = field.value.trim();
    field.remove();
    heading.hidden = false;
    onEnd();
    if (isKept && typed !== name) onSave(typed);
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      end(true);
    } else if (event.key === "Escape") end(false);
  });
  field.addEventListener("blur", () => end(true));
}
