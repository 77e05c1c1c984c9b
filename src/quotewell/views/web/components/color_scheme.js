// Light, dark, or as the system is; remembered by the browser.
const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SIGNS = { auto: "\u25D0", light: "\u2600", dark: "\u263E" };

export default {
  template: `<button type="button" class="icon" @click="next" :aria-label="'Colours: ' + said + '. Change'" :title="'Colours: ' + said">
    <span aria-hidden="true">{{ sign }}</span></button>`,
  data() {
    return { chosen: "auto", system: matchMedia("(prefers-color-scheme: dark)") };
  },
  computed: {
    said() { return this.chosen === "auto" ? "as the system" : this.chosen; },
    sign() { return SIGNS[this.chosen]; },
  },
  mounted() {
    const kept = localStorage.getItem("quotewell-colours");
    this.chosen = kept in NEXT ? kept : "auto";
    this.changed = () => this.apply();
    this.system.addEventListener("change", this.changed);
    this.apply();
  },
  beforeUnmount() { this.system.removeEventListener("change", this.changed); },
  methods: {
    next() {
      this.chosen = NEXT[this.chosen];
      localStorage.setItem("quotewell-colours", this.chosen);
      this.apply();
    },
    apply() {
      Quasar.Dark.set(this.chosen === "auto" ? this.system.matches : this.chosen === "dark");
    },
  },
};
