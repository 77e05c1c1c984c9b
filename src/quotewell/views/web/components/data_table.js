// A table of grouped rows that sorts, filters, opens groups and hides columns. Texts are texts, never markup.
export default {
  template: `
    <div class="data-table">
      <div class="tools">
        <label class="search"><span class="sr-only">{{ filterLabel }}</span>
          <input type="search" v-model="query" :placeholder="filterLabel" autocomplete="off" spellcheck="false">
        </label>
        <span class="shown" role="status">{{ status }}</span>
        <button v-if="groups.length" type="button" class="quiet" @click="toggleAll">{{ allOpen ? "Close all" : "Open all" }}</button>
        <details v-if="choosable" class="menu" ref="menu" @keydown.esc="$refs.menu.open = false">
          <summary>Columns</summary>
          <fieldset class="sheet"><legend class="sr-only">Columns that are shown</legend>
            <label v-for="column in columns.slice(1)">
              <input type="checkbox" :checked="!hidden[column.key]" @change="hidden[column.key] = !$event.target.checked">
              {{ column.heading }}
            </label>
          </fieldset>
        </details>
      </div>
      <div class="table-box" tabindex="0" role="region" :aria-label="caption">
        <table>
          <caption class="sr-only">{{ caption }}</caption>
          <thead><tr>
            <th v-for="column in visible" scope="col" :class="{n: !column.is_text}" :title="column.explained || null"
                :aria-sort="sorted(column)">
              <button type="button" @click="sort(column)">{{ column.heading }}<span aria-hidden="true" class="arrow">{{ arrow(column) }}</span></button>
            </th>
            <th v-if="actions.length" scope="col"><span class="sr-only">Actions</span></th>
          </tr></thead>
          <tbody v-for="row in chosen" :key="row.id">
            <tr :class="{group: row.children.length > 0}">
              <template v-for="(column, at) in visible">
                <th v-if="at === 0" scope="row">
                  <button v-if="row.children.length" type="button" class="opener" :aria-expanded="isOpen(row) ? 'true' : 'false'"
                          @click="open[row.id] = !isOpen(row)"><span class="chevron" aria-hidden="true"></span>{{ cell(row, column).text }}</button>
                  <span v-else>{{ cell(row, column).text }}</span>
                  <span class="count" v-if="row.children.length > 1">{{ row.children.length }}</span>
                </th>
                <td v-else :class="tone(row, column)" :title="cell(row, column).explained || null">{{ cell(row, column).text }}<span
                    v-if="cell(row, column).marker" class="marker">{{ cell(row, column).marker }}<span class="sr-only">
                    {{ cell(row, column).explained }}</span></span></td>
              </template>
              <td v-if="actions.length" class="actions"><button v-for="action in row.actions" type="button" class="quiet"
                  @click="$emit('action', {action, id: row.id})" :aria-label="names[action] + ' ' + cell(row, visible[0]).text">{{ names[action] }}</button></td>
            </tr>
            <template v-if="isOpen(row)">
              <tr v-for="child in row.children" :key="child.id" class="leg">
                <template v-for="(column, at) in visible">
                  <th v-if="at === 0" scope="row"><span>{{ cell(child, column).text }}</span></th>
                  <td v-else :class="tone(child, column)" :title="cell(child, column).explained || null">{{ cell(child, column).text }}<span
                      v-if="cell(child, column).marker" class="marker">{{ cell(child, column).marker }}<span class="sr-only">
                      {{ cell(child, column).explained }}</span></span></td>
                </template>
              </tr>
            </template>
          </tbody>
        </table>
        <p v-if="!chosen.length" class="nothing">{{ query ? "Nothing matches." : empty }}</p>
      </div>
    </div>`,
  props: {
    caption: String, columns: Array, rows: Array, filterLabel: String, choosable: Boolean, empty: String,
    actions: { type: Array, default: () => [] },
  },
  data() {
    const isNarrow = matchMedia("(max-width: 640px)").matches;
    const isHidden = (column) => !column.shown || (column.wide && isNarrow);
    return {
      query: "", by: null, descending: false, open: {},
      hidden: Object.fromEntries(this.columns.filter(isHidden).map((column) => [column.key, true])),
    };
  },
  computed: {
    names() { return Object.fromEntries(this.actions.map((action) => [action.key, action.name])); },
    visible() { return this.columns.filter((column) => !this.hidden[column.key]); },
    groups() { return this.rows.filter((row) => row.children.length); },
    allOpen() { return this.groups.every((row) => this.isOpen(row)); },
    wanted() { return this.query.trim().toLowerCase(); },
    chosen() {
      let rows = this.rows;
      if (this.wanted) {
        rows = rows
          .map((row) => (this.matches(row) ? row : { ...row, children: row.children.filter(this.matches), found: true }))
          .filter((row) => !row.found || row.children.length);
      }
      if (!this.by) return rows;
      return this.ordered(rows.map((row) => ({ ...row, children: this.ordered(row.children) })));
    },
    status() {
      return this.wanted ? `${this.chosen.length.toLocaleString("en-US")} of ${this.rows.length.toLocaleString("en-US")}` : "";
    },
  },
  methods: {
    cell(row, column) { return row.cells[column.key] || { text: "" }; },
    tone(row, column) { return { n: !column.is_text, loss: !column.is_text && this.cell(row, column).text.startsWith("\u2212") }; },
    isOpen(row) { return row.children.length > 0 && (row.found || this.open[row.id] || false); },
    toggleAll() {
      const opened = !this.allOpen;
      this.groups.forEach((row) => (this.open[row.id] = opened));
    },
    matches(row) {
      return Object.values(row.cells).some((cell) => cell.text.toLowerCase().includes(this.wanted));
    },
    ordered(rows) {
      const sign = this.descending ? -1 : 1;
      return [...rows].sort((left, right) => {
        const a = this.cell(left, this.by).sort ?? null, b = this.cell(right, this.by).sort ?? null;
        if (a === null || b === null) return (a === null) - (b === null);
        return typeof a === "number" && typeof b === "number" ? sign * (a - b) : sign * String(a).localeCompare(String(b));
      });
    },
    // Numbers begin with the largest, texts with the first; the third time the order is the report's again.
    sort(column) {
      const first = !column.is_text;
      if (this.by?.key !== column.key) [this.by, this.descending] = [column, first];
      else if (this.descending === first) this.descending = !first;
      else this.by = null;
    },
    sorted(column) {
      return this.by?.key === column.key ? (this.descending ? "descending" : "ascending") : null;
    },
    arrow(column) { return this.by?.key === column.key ? (this.descending ? "\u2193" : "\u2191") : ""; },
  },
};
