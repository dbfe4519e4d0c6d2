// What charts share: scales, axes and their texts.

import { svg } from './dom.js';

// A round number that is not below `value`, and the steps to it.
export function ticks(value) {
  if (!(value > 0)) return [0];
  const rough = value / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const count = Math.ceil(value / step);
  return Array.from({ length: count + 1 }, (_, at) => at * step);
}

// The lines and texts of the y axis; `y` gives the place of a value, `show` its text.
export function yAxis(values, { left, right, y, show }) {
  return values.map((value) =>
    svg(
      'g',
      { class: 'axis', 'aria-hidden': 'true' },
      svg('line', { x1: left, x2: right, y1: y(value), y2: y(value) }),
      svg('text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, show(value)),
    ),
  );
}

// Texts of the x axis, so many that they do not touch: first those that are `strong`, then the others.
// `places` are { at, text, strong }.
export function xAxis(places, { bottom, right, gap }) {
  const shown = [];
  for (const { at, text } of [...places.filter(({ strong }) => strong), ...places.filter(({ strong }) => !strong)]) {
    const half = text.length * 3.3;
    const middle = Math.min(Math.max(at, half), right - half);
    if (shown.some((other) => Math.abs(other.middle - middle) < other.half + half + gap)) continue;
    shown.push({ middle, half, text });
  }
  return svg(
    'g',
    { class: 'axis', 'aria-hidden': 'true' },
    shown.map(({ middle, text }) => svg('text', { x: middle, y: bottom + 16, 'text-anchor': 'middle' }, text)),
  );
}

// Draws again when the place for it becomes wider or narrower.
export function whenResized(node, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width || now === 0) return;
    width = now;
    draw(now);
  }).observe(node);
}
