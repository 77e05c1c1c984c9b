// Takes files by drop or by dialog, and hands them to the API; what it answers goes to the page.
export default {
  template: `
    <div class="drop" :class="{over, compact}" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <slot></slot>
      <label class="primary" :class="{busy}">
        <input type="file" multiple class="sr-only" ref="input" :accept="accept" :disabled="busy" @change="send($refs.input.files)">
        {{ busy ? "Reading\u2026" : label }}
      </label>
      <p v-if="error" class="error" role="alert">{{ error }}</p>
    </div>`,
  props: { url: String, label: String, compact: Boolean, accept: String },
  data() { return { over: false, busy: false, error: "" }; },
  mounted() {
    if (this.compact) return;
    // A file that misses the zone would replace the page.
    this.miss = (event) => event.preventDefault();
    ["dragover", "drop"].forEach((name) => addEventListener(name, this.miss));
  },
  beforeUnmount() {
    if (this.miss) ["dragover", "drop"].forEach((name) => removeEventListener(name, this.miss));
  },
  methods: {
    dropped(event) {
      this.over = false;
      this.send(event.dataTransfer.files);
    },
    async send(files) {
      if (!files.length || this.busy) return;
      this.busy = true;
      this.error = "";
      const form = new FormData();
      for (const file of files) form.append("file", file);
      try {
        const answer = await fetch((window.path_prefix || "") + this.url, { method: "POST", body: form });
        const said = await answer.json();
        if (answer.ok) this.$emit("uploaded", { key: said.key });
        else this.error = [said.detail || said.title || "The file could not be read.", said.hint].filter(Boolean).join(" \u2014 ");
      } catch {
        this.error = "The server could not be reached, or its answer not be understood.";
      } finally {
        this.busy = false;
        this.$refs.input.value = "";
      }
    },
  },
};
