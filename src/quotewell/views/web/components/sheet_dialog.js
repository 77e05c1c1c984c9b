// A modal sheet, at the side or in the middle: the browser keeps the focus in it and closes it on Escape.
export default {
  template: `
    <dialog ref="dialog" :class="side ? 'sheet side' : 'sheet'" :aria-label="title" @click="outside">
      <div class="sheet-head"><h2>{{ title }}</h2>
        <button type="button" class="icon" aria-label="Close" @click="close"><span aria-hidden="true">\u2715</span></button></div>
      <div class="sheet-body"><slot></slot></div>
    </dialog>`,
  props: { title: String, side: Boolean },
  methods: {
    open() { if (!this.$refs.dialog.open) this.$refs.dialog.showModal(); },
    close() { this.$refs.dialog.close(); },
    outside(event) { if (event.target === this.$refs.dialog) this.close(); },
  },
};
