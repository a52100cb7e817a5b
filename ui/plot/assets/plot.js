// Draws a figure with Plotly.react: new data changes the chart that is there, so zoom, legend
// and focus stay and nothing blinks. Colours of text and lines follow the page's theme.
const state = new WeakMap();

function load(path) {
  window.__poolwisePlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(path, document.baseURI).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      script.remove();
      window.__poolwisePlotly = undefined; // the next change of data tries again
      reject(new Error("script"));
    };
    document.head.append(script);
  });
  return window.__poolwisePlotly;
}

function themed(root) {
  const css = getComputedStyle(root);
  const colour = (name) => css.getPropertyValue(`--st-${name}`).trim();
  const axis = {
    gridcolor: colour("border-color"),
    linecolor: colour("border-color"),
    zerolinecolor: colour("border-color"),
    tickcolor: colour("border-color"),
    automargin: true,
  };
  const text = { family: colour("font"), color: colour("text-color"), size: 13 };
  return {
    layout: {
      font: text,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: {
        bgcolor: colour("secondary-background-color"),
        bordercolor: colour("border-color"),
        font: text,
      },
      legend: { bgcolor: "rgba(0,0,0,0)" },
      xaxis: axis,
      yaxis: axis,
    },
  };
}

function layoutOf({ layout, height }, root) {
  const fingers = window.matchMedia("(pointer: coarse)").matches;
  return {
    ...layout,
    height,
    autosize: true,
    dragmode: fingers ? false : "zoom", // a finger on the chart scrolls the page
    template: themed(root),
  };
}

function configOf({ picture }) {
  return {
    displayModeBar: Boolean(picture),
    modeBarButtons: [["toImage"]],
    toImageButtonOptions: { format: "png", filename: picture, scale: 2 },
    displaylogo: false,
    doubleClick: "reset",
    responsive: false,
  };
}

// Listens from the first drawing on, and for as long as the data say that a click means something.
function listen(chart) {
  if (chart.listens) return;
  chart.listens = true;
  chart.node.on("plotly_click", ({ points: [point] }) => {
    if (chart.data.clickable) chart.tell("clicked", { x: point.x, y: point.y ?? 0 });
  });
}

async function draw(chart) {
  const { data, node, root } = chart;
  const plotly = await load(data.script);
  node.replaceChildren(...[...node.children].filter((child) => !child.dataset.sorry));
  await plotly.react(node, data.traces, layoutOf(data, root), configOf(data));
  listen(chart);
  if (!chart.observer) {
    chart.observer = new ResizeObserver(() => {
      if (node.isConnected && node.clientWidth) plotly.Plots.resize(node);
    });
    chart.observer.observe(node);
  }
}

function apologise({ data, node }) {
  if (node.classList.contains("js-plotly-plot")) return;
  const text = document.createElement("p");
  text.dataset.sorry = "yes";
  text.textContent = `The chart could not be drawn: its script did not load. ${data.label}`;
  node.replaceChildren(text);
}

// Plotly.react is asynchronous: one at a time, and the newest data wins.
async function update(chart) {
  if (chart.busy) {
    chart.again = true;
    return;
  }
  chart.busy = true;
  do {
    chart.again = false;
    try {
      await draw(chart);
    } catch {
      apologise(chart);
    }
  } while (chart.again);
  chart.busy = false;
}

export default function ({ data, parentElement: root, setTriggerValue: tell }) {
  let chart = state.get(root);
  if (!chart) {
    const node = document.createElement("div");
    node.className = "poolwise-chart";
    root.append(node);
    chart = { root, node };
    state.set(root, chart);
  }
  chart.data = data;
  chart.tell = tell;
  chart.node.style.minHeight = `${data.height}px`;
  chart.node.setAttribute("role", "img");
  chart.node.setAttribute("aria-label", data.label);
  update(chart);
  return () => {
    if (root.isConnected) return; // also called while the chart stays, if new data came quickly
    chart.observer?.disconnect();
    window.Plotly?.purge(chart.node);
    state.delete(root);
  };
}
