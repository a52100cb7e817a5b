// Shows lines of code. Only lines that differ from what stands there are drawn anew, so scroll
// position, focus and a selection in other lines stay.
const style = `
  .poolwise-listing { margin: 0; padding: 0.5rem 0; overflow: auto; tab-size: 4;
    font-family: var(--st-code-font); font-size: var(--st-code-font-size, 0.8125rem);
    line-height: 1.5; border-radius: var(--st-base-radius, 0.375rem);
    color: var(--st-code-text-color); background: var(--st-code-background-color); }
  .poolwise-listing:focus-visible { outline: 2px solid var(--st-primary-color); }
  .poolwise-listing span[data-line] { display: block; white-space: pre-wrap;
    overflow-wrap: anywhere; padding: 0 0.75rem; border-left: 3px solid transparent; }
  .poolwise-listing span[data-changed] { border-left-color: var(--st-orange-color);
    background: var(--st-orange-background-color); }
  .poolwise-listing span[title] { cursor: help; }
  .poolwise-listing span[title]:hover { text-decoration: underline dotted; }
  .poolwise-listing .keyword { color: var(--st-violet-text-color); }
  .poolwise-listing .name { color: var(--st-blue-text-color); }
  .poolwise-listing .string { color: var(--st-green-text-color); }
  .poolwise-listing .number { color: var(--st-orange-text-color); }
  .poolwise-listing .comment { color: var(--st-gray-text-color); }`;
const drawn = new WeakMap();

function lineOf({ runs, changed, note }) {
  const line = document.createElement("span");
  line.dataset.line = "";
  if (changed) line.dataset.changed = "";
  if (note) line.title = note;
  for (const [kind, text] of runs) {
    const run = document.createElement("span");
    if (kind) run.className = kind;
    run.textContent = text;
    line.append(run);
  }
  line.append("\n");
  return line;
}

export default function ({ data, parentElement: root }) {
  let pre = root.querySelector("pre");
  if (!pre) {
    const sheet = document.createElement("style");
    sheet.textContent = style;
    pre = document.createElement("pre");
    pre.className = "poolwise-listing";
    pre.tabIndex = 0; // so that it can be scrolled with keys
    pre.setAttribute("role", "region");
    pre.append(document.createElement("code"));
    root.append(sheet, pre);
  }
  pre.setAttribute("aria-label", data.label);
  pre.style.height = `${data.height}px`;
  const code = pre.firstChild;
  const before = drawn.get(pre) ?? [];
  const after = data.lines.map((line) => JSON.stringify(line));
  for (const [number, line] of data.lines.entries()) {
    if (after[number] === before[number]) continue;
    const old = code.children[number];
    if (old) old.replaceWith(lineOf(line));
    else code.append(lineOf(line));
  }
  while (code.children.length > after.length) code.lastChild.remove();
  drawn.set(pre, after);
}
