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

function draw(scheme) {
  for (const element of document.querySelectorAll("[data-chart]")) {
    echarts.getInstanceByDom(element)?.dispose();
    const chart = echarts.init(element, null, { renderer: "svg" });
    chart.setOption({ ...resolved(CHARTS[element.dataset.chart][scheme]), animation: false });
  }
}

draw(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => draw(dark.matches ? "dark" : "light"));
addEventListener("beforeprint", () => draw("light"));
addEventListener("afterprint", () => draw(dark.matches ? "dark" : "light"));
addEventListener("resize", () => {
  for (const element of document.querySelectorAll("[data-chart]")) echarts.getInstanceByDom(element)?.resize();
});
