// A button that copies a text. The clipboard API needs https or localhost; elsewhere the old
// command on a selected text area still works.
const style = `
  .poolwise-copy { font: inherit; font-size: 0.875rem; font-weight: 500; cursor: pointer; white-space: nowrap;
    min-height: 2.5rem; padding: 0.25rem 0.9rem; border-radius: var(--st-button-radius, 0.375rem);
    border: 1px solid var(--st-primary-color); background: var(--st-primary-color);
    color: var(--st-background-color); }
  .poolwise-copy:hover { filter: brightness(1.1); }
  .poolwise-copy:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: 2px; }
  .poolwise-said { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }`;

async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export default function ({ data, parentElement: root }) {
  let button = root.querySelector("button");
  if (!button) {
    const sheet = document.createElement("style");
    sheet.textContent = style;
    button = document.createElement("button");
    button.type = "button";
    button.className = "poolwise-copy";
    const said = document.createElement("span");
    said.className = "poolwise-said";
    said.setAttribute("aria-live", "polite");
    root.append(sheet, button, said);
  }
  const said = root.querySelector("[aria-live]");
  button.textContent = data.label;
  button.onclick = async () => {
    const done = await put(data.text);
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    said.textContent = done ? "Copied to the clipboard" : "Could not copy";
    setTimeout(() => {
      button.textContent = data.label;
      said.textContent = "";
    }, 2000);
  };
}
