// The chart of what was used, stacked by what a person chose, with its legend and its table.

import { stacked } from './chart.js';
import { classes } from './colours.js';
import { el, name, replace, table, visible } from './dom.js';
import { MEASURES, amount, brief, spent } from './money.js';
import { whenResized } from './svg.js';
import { buckets, clock, day, dayOfMonth, when } from './time.js';

const REST = 'rest';
// Times of day below which a text may stand, where a step is shorter than half an hour.
const MARKED = { '1m': /[05]$/, '5m': /:[03]0$/ };

export class Usage {
  constructor(section, { pick, toggle, zoom }) {
    this.title = section.querySelector('h2');
    this.body = section.querySelector('.body');
    this.pick = pick;
    this.toggle = toggle;
    this.zoom = zoom;
    this.readout = el('p', { class: 'readout' });
    this.plot = el('div', { class: 'plot' });
    whenResized(this.plot, (width) => this.draw(width));
  }

  show(data) {
    const { state, main, shown } = data;
    const measure = MEASURES[state.show];
    const { groups, by } = series(main, measure);
    const colour = classes(
      state.by,
      groups.filter(({ key }) => key !== REST).map(({ label }) => label),
    );
    for (const group of groups) group.class = group.key === REST ? 'rest' : colour(group.label);
    this.data = { ...data, measure, groups, by, bars: bars(shown, state, measure, groups) };
    this.title.textContent = `${measure.title} per ${shown.spoken} by ${visible(state.by)}`;
    const isTable = state.tables.has('usage');
    replace(
      this.body,
      el('div', { class: 'tools' }, this.readout, toggle('usage', isTable, this.toggle)),
      isTable ? this.asTable() : this.plot,
      this.legend(),
    );
    this.look();
    if (!isTable && this.width) this.draw(this.width);
  }

  draw(width) {
    this.width = width;
    if (!this.data) return;
    const { bars: all, measure, state, shown } = this.data;
    if (all.every((bar) => bar.parts.length === 0)) {
      replace(this.plot, el('p', { class: 'empty' }, nothing(this.data)));
      return;
    }
    replace(
      this.plot,
      stacked({
        bars: all,
        width,
        height: width < 500 ? 190 : 260,
        label: `${measure.title} per ${shown.spoken} by ${state.by}, ${shown.long}. Arrow keys go through the bars, Enter filters.`,
        show: (value) => brief(value, measure.isMoney),
        onpick: (part) => part.key !== REST && this.pick(state.by, part.label),
        onzoom: (first, last) => this.zoom(first.start, last.end),
        onlook: (bar, part) => this.look(bar, part),
      }),
    );
  }

  // Says what a bar comes to, or what the whole range does.
  look(bar, part) {
    const { measure, main, shown } = this.data;
    if (!bar) {
      replace(this.readout, el('b', {}, of(measure, main.total.sums)), ` in all, ${shown.long}`);
      return;
    }
    const total = bar.parts.reduce((sum, one) => sum + one.value, 0n);
    replace(
      this.readout,
      el('span', {}, `${bar.title}: `),
      el('b', {}, measure.show(total)),
      part ? [' of which ', name(part.label), ' ', el('b', {}, measure.show(part.value))] : null,
    );
  }

  legend() {
    const { groups, measure, state } = this.data;
    return el(
      'ul',
      { class: 'legend', 'aria-label': `What the colours mean, and the sum of each` },
      groups.map((group) =>
        el(
          'li',
          {},
          el('span', { class: `swatch ${group.class}`, 'aria-hidden': 'true' }),
          group.key === REST
            ? group.label
            : el(
                'button',
                {
                  class: 'link',
                  'data-key': `legend ${group.key}`,
                  onclick: () => this.pick(state.by, group.label),
                },
                name(group.label),
              ),
          ' ',
          el('span', { class: 'quiet' }, of(measure, group.sums)),
        ),
      ),
    );
  }

  asTable() {
    const { bars: all, groups, measure, state } = this.data;
    const used = all.filter((bar) => bar.parts.length > 0);
    const columns = [
      { title: `From (${state.zone})` },
      ...groups.map(({ label, key }) => ({ title: key === REST ? label : name(label), number: true })),
      { title: 'All', number: true },
    ];
    const cell = (value) => (value === undefined ? '' : measure.isMoney ? amount(value) : measure.show(value));
    return table(
      `${measure.title} by ${state.by}`,
      columns,
      used.map((bar) => {
        const values = new Map(bar.parts.map((part) => [part.key, part.value]));
        const total = bar.parts.reduce((sum, part) => sum + part.value, 0n);
        return [when(bar.start, state.zone), ...groups.map(({ key }) => cell(values.get(key))), cell(total)];
      }),
    );
  }
}

// A sum in words; money keeps its exact decimal.
const of = (measure, sums) => (measure.isMoney ? amount(spent(sums)) : measure.show(measure.of(sums)));

// The groups that have anything of the measure, and the rest.
function series(main, measure) {
  const all = main.groups.map((group) => ({ ...group, label: group.labels[0], key: `=${group.labels[0]}` }));
  if (main.rest) {
    const count = main.rest.groups;
    all.push({ ...main.rest.usage, label: `${count} other${count === 1 ? '' : 's'}`, key: REST });
  }
  return { groups: all.filter((group) => measure.of(group.sums) > 0n) };
}

function bars(shown, state, measure, groups) {
  const starts = buckets(shown, state.zone);
  const all = starts.map((start, at) => {
    const end = starts[at + 1] ?? shown.to;
    return {
      start,
      end,
      parts: [],
      mark: mark(start, shown.step, state.zone),
      title: title(start, end, shown.step, state.zone),
    };
  });
  for (const group of groups) {
    for (const { start, sums } of group.steps ?? []) {
      const value = measure.of(sums);
      const bar = all[place(starts, Date.parse(start))];
      if (value > 0n && bar) {
        const text = `${visible(group.label)} ${measure.show(value)}`;
        bar.parts.push({ value, class: group.class, label: group.label, key: group.key, text });
      }
    }
  }
  return all;
}

// The last place whose start is not after `at`.
function place(starts, at) {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function title(start, end, step, zone) {
  return step === 'day' ? day(start, zone) : `${when(start, zone)}–${clock(end, zone)}`;
}

// What stands below a bar: a day at its midnight, an hour or a quarter where steps are short.
function mark(start, step, zone) {
  const time = clock(start, zone);
  if (step === 'day') return { text: dayOfMonth(start, zone) };
  if (time === '00:00') return { text: dayOfMonth(start, zone), strong: true };
  if (step === '3h' || step === '12h') return null;
  return (MARKED[step] ?? /:00$/).test(time) ? { text: time } : null;
}

function nothing({ ledger, state, measure }) {
  if (measure !== MEASURES.spend) return `No ${measure.title.toLowerCase()} in this range.`;
  if (!ledger.newest_record) return 'Nothing has been read yet: see below which sources there are.';
  const narrow = state.filters.length ? ' with these filters' : '';
  return `Nothing was spent in this range${narrow}. The newest record is of ${when(Date.parse(ledger.newest_record), state.zone)}.`;
}

// The button between a chart and its table.
export function toggle(which, isTable, ontoggle) {
  return el(
    'button',
    {
      class: 'small',
      'aria-pressed': String(isTable),
      'data-key': `table ${which}`,
      onclick: () => ontoggle(which),
    },
    'Table',
  );
}
