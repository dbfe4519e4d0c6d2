// Stacked bars, one for each step of time. Every part of a bar can be reached by keyboard: left and right go through
// time, up and down through a bar, Enter filters. A drag over bars looks closer at them; so do the fields for a
// range of one's own.

import { svg } from './dom.js';
import { ticks, xAxis, yAxis } from './svg.js';

const MARGIN = { top: 8, right: 4, bottom: 24, left: 58 };
const HIT = 'part';

// `bars` are { at, start, title, parts: [{ value, class, label, text, key }] }, `value` a BigInt; `onpick(part)` is called
// for what is clicked, `onzoom(first, last)` for bars that are dragged over, `onlook(bar, part)` for what is looked at,
// without arguments for nothing.
export function stacked({ bars, width, height, show, label, onpick, onzoom, onlook }) {
  const totals = bars.map(({ parts }) => parts.reduce((sum, part) => sum + Number(part.value), 0));
  const marks = ticks(Math.max(0, ...totals));
  const top = marks.at(-1) || 1;
  const [left, right] = [MARGIN.left, width - MARGIN.right];
  const bottom = height - MARGIN.bottom;
  const y = (value) => bottom - (value / top) * (bottom - MARGIN.top);
  const pitch = (right - left) / bars.length;
  const gap = pitch > 5 ? 1.5 : pitch > 2.5 ? 0.5 : 0;

  const columns = bars.map((bar, at) => {
    const x = left + at * pitch;
    let below = 0;
    const parts = bar.parts.map((part, place) => {
      const from = y(below);
      below += Number(part.value);
      const size = Math.max(from - y(below), 0.75);
      return svg('rect', {
        x: x + gap / 2,
        y: from - size,
        width: Math.max(pitch - gap, 1),
        height: size,
        class: `${HIT} ${part.class}`,
        role: 'button',
        tabindex: '-1',
        'aria-label': `${bar.title}, ${part.text}`,
        'data-bar': at,
        'data-part': place,
        'data-key': `bar ${bar.start} ${part.key}`,
      });
    });
    return svg(
      'g',
      {},
      svg('rect', { class: 'slot', x, y: MARGIN.top, width: pitch, height: bottom - MARGIN.top, 'data-bar': at }),
      parts,
    );
  });

  const chart = svg(
    'svg',
    {
      class: 'chart',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'group',
      'aria-label': label,
    },
    yAxis(marks, { left, right, y, show }),
    columns,
    svg('line', { class: 'base', x1: left, x2: right, y1: bottom, y2: bottom }),
    xAxis(
      bars.flatMap(({ mark }, at) => (mark ? [{ at: left + at * pitch, ...mark }] : [])),
      { bottom, right, gap: 14 },
    ),
  );
  listen(chart, bars, onpick, onlook);
  drag(chart, bars, onzoom, (at) => left + at * pitch, { y: MARGIN.top, height: bottom - MARGIN.top });
  return chart;
}

function drag(chart, bars, onzoom, x, sides) {
  let from;
  let last;
  const over = ({ target }) => (target.dataset.bar === undefined ? undefined : Number(target.dataset.bar));
  const mark = svg('rect', { class: 'selection', ...sides });
  const order = () => [Math.min(from, last), Math.max(from, last)];
  chart.addEventListener('pointerdown', (event) => {
    if (event.button === 0) from = last = over(event);
  });
  chart.addEventListener('pointermove', (event) => {
    if (from === undefined) return;
    last = over(event) ?? last;
    if (last === from) return mark.remove();
    const [first, end] = order();
    mark.setAttribute('x', x(first));
    mark.setAttribute('width', x(end + 1) - x(first));
    chart.append(mark);
  });
  chart.addEventListener('pointerup', () => {
    if (from !== undefined && last !== from) {
      const [first, end] = order();
      onzoom(bars[first], bars[end]);
    }
    from = undefined;
  });
  chart.addEventListener('pointerleave', () => {
    from = undefined;
    mark.remove();
  });
}

function listen(chart, bars, onpick, onlook) {
  const partOf = (node) => bars[node.dataset.bar]?.parts[node.dataset.part];
  const first = chart.querySelector(`.${HIT}`);
  first?.setAttribute('tabindex', '0');
  chart.addEventListener('pointermove', ({ target }) => {
    if (target.dataset.bar === undefined) onlook();
    else onlook(bars[target.dataset.bar], partOf(target));
  });
  chart.addEventListener('pointerleave', () => onlook());
  chart.addEventListener('focusin', ({ target }) => {
    if (!target.matches(`.${HIT}`)) return;
    chart.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
    target.setAttribute('tabindex', '0');
    onlook(bars[target.dataset.bar], partOf(target));
  });
  chart.addEventListener('focusout', () => onlook());
  chart.addEventListener('click', ({ target }) => {
    if (target.matches(`.${HIT}`)) onpick(partOf(target));
  });
  chart.addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (!target.matches(`.${HIT}`)) return;
    if (key === 'Enter' || key === ' ') onpick(partOf(target));
    else if (!move(chart, target, key)) return;
    event.preventDefault();
  });
}

// Focuses what is beside, above or below; tells whether the key means that.
function move(chart, from, key) {
  const parts = [...chart.querySelectorAll(`.${HIT}`)];
  const [bar, place] = [Number(from.dataset.bar), Number(from.dataset.part)];
  const inBar = (wanted) => parts.filter((part) => Number(part.dataset.bar) === wanted);
  const near = (group) => group[Math.min(place, group.length - 1)];
  const used = [...new Set(parts.map((part) => Number(part.dataset.bar)))];
  const at = used.indexOf(bar);
  const targets = {
    ArrowLeft: () => near(inBar(used[at - 1])),
    ArrowRight: () => near(inBar(used[at + 1])),
    ArrowUp: () => inBar(bar)[place + 1],
    ArrowDown: () => inBar(bar)[place - 1],
    Home: () => near(inBar(used[0])),
    End: () => near(inBar(used.at(-1))),
  };
  if (!Object.hasOwn(targets, key)) return false;
  targets[key]()?.focus();
  return true;
}
