// Draws every element with a `data-chart`, in the colours of the reader's scheme; on paper always in light ones.
const CHARTS = JSON.parse(document.getElementById("charts").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

// A key that begins with a colon names one of the functions that stand in this page.
function resolved(value) {
  if (Array.isArray(value)) return value.map(resolved);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) =>
      key.startsWith(":") ? [key.slice(1), FUNCTIONS[inside]] : [key, resolved(inside)],
    ),
  );
}

// Where there is no room beside a bar for its amount, it is written shorter; the table has it whole.
const NARROW = 420;
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
function shortened(options) {
  const brief = ({ value }) => short.format(value).replace("-", "\u2212");
  const written = (bar) => (bar.label ? { ...bar, label: { ...bar.label, formatter: brief } } : bar);
  const series = options.series.map((one) => (one.type === "bar" ? { ...one, data: one.data.map(written) } : one));
  return { ...options, series };
}

function draw(scheme) {
  for (const element of document.querySelectorAll("[data-chart]")) {
    echarts.getInstanceByDom(element)?.dispose();
    const chart = echarts.init(element, null, { renderer: "svg" });
    const options = { ...resolved(CHARTS[element.dataset.chart][scheme]), animation: false };
    chart.setOption(element.clientWidth < NARROW ? shortened(options) : options);
  }
}

draw(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => draw(dark.matches ? "dark" : "light"));
addEventListener("beforeprint", () => draw("light"));
addEventListener("afterprint", () => draw(dark.matches ? "dark" : "light"));
addEventListener("resize", () => draw(dark.matches ? "dark" : "light"));
