// Keys of a page: one table from key to action, and one rule for when a key belongs to the field that is typed in.

const TYPED_IN = "input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]";

export const isTyping = (event) => Boolean(event.target.closest?.(TYPED_IN) || document.querySelector("dialog[open]"));

/**
 * Do what `table` says of a key, such as "m", "Escape" or "Ctrl+z" (⌘ on a Mac counts as Ctrl).
 *
 * An action that answers `false` had nothing to do: the key then keeps its usual meaning.
 */
export function onKeys(table, { within = document, singleKeysAreOn = () => true } = {}) {
  within.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.isComposing || isTyping(event)) return;
    const hasControl = event.ctrlKey || event.metaKey;
    const action = table[hasControl ? `Ctrl+${event.key}` : event.key];
    const isSingle = !hasControl && event.key.length === 1 && event.key !== " ";
    if (!action || (isSingle && !singleKeysAreOn())) return;
    if (action(event) !== false) event.preventDefault();
  });
}
