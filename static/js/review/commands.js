// What the buttons and keys of the review page are called, and what they do.
import { redo, undo } from "../batches/api.js";
import { showHelp } from "./keys.js";

/** The commands that are about the page, the chosen images, and one group. */
export function commands(page) {
  const { actions, images, panel, suggestions } = page;
  return {
    onPage: {
      undo: () => undo(),
      redo: () => redo(),
      look: () => panel.open(images.chosen[0]),
      all: () => images.selectAll(),
      none: () => images.clear(),
      help: () => showHelp(),
      "panel-close": () => panel.close(),
      "compare-end": () => panel.compare(null),
      "panel-before": () => panel.go("ArrowLeft"),
      "panel-after": () => panel.go("ArrowRight"),
      "accept-near": () => actions.accept({ max_distance: suggestions.distance }),
      unassigned: () => suggestions.toggle(),
    },
    onImages: {
      move: () => actions.move(),
      new: () => actions.create(),
      split: () => actions.split(),
      accept: () => actions.decide("accepted"),
      reject: () => actions.reject(),
      "reject-now": () => actions.decide("rejected"),
      reset: () => actions.reset(),
      unassign: () => actions.moveTo(null),
      cover: () => actions.cover(),
      lock: () => actions.lock(),
      apart: () => panel.decide(null),
    },
    onGroup: {
      rename: (group) => actions.rename(group),
      confirm: (group) => confirm(page, group),
      reopen: (group) => actions.setStatus(group, "open"),
      merge: (group) => actions.merge(group),
      "split-auto": (group) => actions.splitAutomatically(group),
      delete: (group) => actions.dissolve(group),
    },
  };
}

/** Where the group is confirmed already: go on to the next one, or open it again among the others. */
function confirm(page, group) {
  if (group.dataset.status !== "confirmed") return page.actions.setStatus(group, "confirmed");
  if (page.openLabel === null) return page.actions.setStatus(group, "open");
  return page.follow("[data-next-group]");
}
