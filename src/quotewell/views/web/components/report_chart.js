// A chart in both colour schemes; the page's own says which is drawn. Functions come as source under `:key`.
import { echarts } from "nicegui-echart";

const NARROW = 420;
const compiled = new Map();

function resolved(value) {
  if (Array.isArray(value)) return value.map(resolved);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inside]) => {
      if (!key.startsWith(":")) return [key, resolved(inside)];
      if (!compiled.has(inside)) compiled.set(inside, new Function(`return (${inside})`)());
      return [key.slice(1), compiled.get(inside)];
    }),
  );
}

const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

// Where there is no room beside a bar for its amount, it is written shorter; the table has it whole.
function shortened(options) {
  const brief = ({ value }) => short.format(value).replace("-", "\u2212");
  const series = options.series.map((one) =>
    one.type !== "bar" ? one : { ...one, data: one.data.map((bar) => (bar.label ? { ...bar, label: { ...bar.label, formatter: brief } } : bar)) },
  );
  return { ...options, series };
}

export default {
  template: `
    <figure class="chart">
      <div ref="canvas" class="chart-canvas" role="img" :aria-label="sentence" :style="{height: height + 'px'}"></div>
      <details class="as-table">
        <summary>As a table</summary>
        <div class="table-box" tabindex="0" role="region" :aria-label="title">
          <table>
            <thead><tr><th v-for="(heading, at) in headings" scope="col" :class="{n: at > 0}">{{ heading }}</th></tr></thead>
            <tbody>
              <tr v-for="row in rows">
                <template v-for="(cell, at) in row">
                  <th v-if="at === 0" scope="row">{{ cell }}</th>
                  <td v-else class="n" :class="{loss: cell.startsWith('\u2212')}">{{ cell }}</td>
                </template>
              </tr>
            </tbody>
          </table>
        </div>
      </details>
    </figure>`,
  props: { title: String, light: Object, dark: Object, sentence: String, headings: Array, rows: Array, height: Number },
  mounted() {
    this.chart = echarts.init(this.$refs.canvas);
    // A bar may be short: its name on the axis can be chosen as well, where the axis says so.
    this.chart.on("click", (event) => this.$emit("picked", { name: event.name || event.value }));
    this.scheme = new MutationObserver(() => this.draw());
    this.scheme.observe(document.body, { attributeFilter: ["class"] });
    this.size = new ResizeObserver(() => {
      this.chart.resize();
      this.draw();
    });
    this.size.observe(this.$refs.canvas);
    this.draw();
  },
  beforeUnmount() {
    this.scheme.disconnect();
    this.size.disconnect();
    this.chart.dispose();
  },
  watch: {
    light() {
      this.draw();
    },
    height() {
      this.$nextTick(() => this.chart.resize());
    },
  },
  methods: {
    draw() {
      const width = this.$refs.canvas.clientWidth;
      if (!this.light || !width) return; // nothing is known, or nothing to be seen yet
      const isDark = document.body.classList.contains("body--dark");
      const isNarrow = width < NARROW;
      if (this.shown === this.light && this.drawn === `${isDark} ${isNarrow}`) return;
      this.shown = this.light;
      this.drawn = `${isDark} ${isNarrow}`;
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? { animation: false } : {};
      const whole = { ...resolved(isDark ? this.dark : this.light), ...calm };
      const options = isNarrow ? shortened(whole) : whole;
      this.chart.setOption(options, { replaceMerge: ["series"] });
      // For those who ask the page what is drawn: tests, and extensions of browsers.
      this.$refs.canvas.dataset.drawn = JSON.stringify(
        options.series.map((series) => series.data.map((point) => (Array.isArray(point) ? point[1] : point.value))),
      );
    },
  },
};
