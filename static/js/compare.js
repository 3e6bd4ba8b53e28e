// The before/after slider: a range input lies over two images and moves the line between them.

function split(input) {
  const stage = input.closest("[data-compare]");
  stage.style.setProperty("--split", `${input.value}%`);
  input.setAttribute("aria-valuetext", `${input.value} % before, ${100 - input.value} % after`);
}

document.addEventListener("input", (event) => {
  if (event.target.matches(".compare-range")) split(event.target);
});
