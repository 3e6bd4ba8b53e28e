// Changing a part of the page into another one, keeping what is the same.
import { Idiomorph } from "../../vendor/idiomorph.js";
import { parseParts } from "./html.js";

const KEEP_OPEN = {
  beforeAttributeUpdated: (name, element, change) =>
    !(name === "open" && change === "remove" && element.matches("details:not(.menu)")),
};

/**
 * Change an element into the one of this HTML. What is the same on both sides stays: the focus, how far it is
 * scrolled, loaded images, an opened `details`.
 */
export function morph(element, html) {
  const [fresh] = Idiomorph.morph(element, parseParts(html).firstElementChild, {
    morphStyle: "outerHTML",
    callbacks: KEEP_OPEN,
  });
  window.htmx.process(fresh);
  return fresh;
}
