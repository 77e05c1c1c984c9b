// A slider with its name and value; tells the page while it is moved, at most ten times a second.
export default {
  template: `
    <div class="range">
      <label :for="name"><span>{{ label }}</span><output :for="name">{{ said }}</output></label>
      <input type="range" :id="name" :min="min" :max="max" :step="step" v-model.number="value" :aria-valuetext="said"
             @input="tell" @dblclick="reset">
    </div>`,
  props: { name: String, label: String, min: Number, max: Number, step: Number, start: Number, unit: String, signed: Boolean },
  data() { return { value: this.start, timer: null }; },
  beforeUnmount() { clearTimeout(this.timer); },
  computed: {
    said() {
      const sign = this.signed && this.value > 0 ? "+" : "";
      return `${sign}${this.value}`.replace("-", "\u2212") + `\u00a0${this.unit}`;
    },
  },
  methods: {
    tell() {
      if (this.timer !== null) return;
      this.timer = setTimeout(() => {
        this.timer = null;
        this.$emit("moved", { value: this.value });
      }, 100);
    },
    reset() {
      this.value = this.start;
      this.tell();
    },
  },
};
