// The before/after slider: the line between two images follows the pointer over all of them, and the keys of a range
// input that lies over them.

const stageOf = (target) => target.closest?.("[data-compare]");
const inputOf = (stage) => stage.querySelector(".compare-range");

function split(input) {
  stageOf(input).style.setProperty("--split", `${input.value}%`);
  input.setAttribute("aria-valuetext", `${input.value} % before, ${100 - input.value} % after`);
}

function follow(stage, event) {
  const { left, width } = stage.getBoundingClientRect();
  const input = inputOf(stage);
  input.value = String(Math.round((100 * (event.clientX - left)) / width));
  split(input);
}

document.addEventListener("input", (event) => {
  if (event.target.matches(".compare-range")) split(event.target);
});

document.addEventListener("pointerdown", (event) => {
  const stage = event.button === 0 && stageOf(event.target);
  if (!stage) return;
  stage.setPointerCapture(event.pointerId);
  stage.classList.add("is-dragged"); // a live part is not swapped meanwhile
  follow(stage, event);
});

document.addEventListener("pointermove", (event) => {
  const stage = stageOf(event.target);
  if (stage?.classList.contains("is-dragged")) follow(stage, event);
});

for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
  document.addEventListener(name, (event) => {
    const stage = stageOf(event.target);
    stage?.classList.remove("is-dragged");
    if (stage && name === "pointerup") inputOf(stage).focus({ preventScroll: true }); // the keys go on from here
  });
}

// The browser would drag a copy of the image away instead.
document.addEventListener("dragstart", (event) => { if (stageOf(event.target)) event.preventDefault(); });
