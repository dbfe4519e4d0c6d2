// This month, day by day: what everything came to so far, and what it will come to, as a band.

import { el, replace, svg, table } from './dom.js';
import { amount, brief, dollars, parse, spent } from './money.js';
import { ticks, whenResized, xAxis, yAxis } from './svg.js';
import { DAY, dayOfMonth, when } from './time.js';
import { toggle } from './usage.js';

const MARGIN = { top: 8, right: 8, bottom: 24, left: 58 };

export class Month {
  constructor(section, { toggle: ontoggle }) {
    this.body = section.querySelector('.body');
    this.ontoggle = ontoggle;
    this.plot = el('div', { class: 'plot' });
    whenResized(this.plot, (width) => this.draw(width));
  }

  show(data) {
    const { ofMonth, spend, month, state } = data;
    if (!ofMonth || !month) {
      replace(this.body, el('p', { class: 'empty' }, 'This month is being added up.'));
      return;
    }
    this.data = { ...data, points: cumulative(ofMonth, month, data.at) };
    const isTable = state.tables.has('month');
    replace(
      this.body,
      el(
        'div',
        { class: 'tools' },
        el('p', { class: 'readout' }, sentence(spend.month)),
        toggle('month', isTable, this.ontoggle),
      ),
      isTable ? this.asTable() : this.plot,
    );
    if (!isTable && this.width) this.draw(this.width);
  }

  draw(width) {
    this.width = width;
    if (!this.data) return;
    const { points, month, spend, at } = this.data;
    const { forecast } = spend.month;
    const height = width < 500 ? 170 : 200;
    const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, height - MARGIN.bottom];
    const last = points.at(-1).total;
    const marks = ticks(Math.max(Number(last), forecast ? Number(parse(forecast.high)) : 0));
    const top = marks.at(-1) || 1;
    const y = (value) => bottom - (Number(value) / top) * (bottom - MARGIN.top);
    const x = (time) => left + ((time - month.from) / (month.to - month.from)) * (right - left);
    const line = (list) => list.map(({ time, total }) => `${x(time).toFixed(1)},${y(total).toFixed(1)}`).join(' ');
    const now = { time: Math.min(at, month.to), total: last };
    const to = (text) => ({ time: month.to, total: parse(text) });
    const days = [];
    for (let time = month.from; time < month.to; time += DAY)
      days.push({ at: x(time), text: dayOfMonth(time, 'UTC') });
    replace(
      this.plot,
      svg(
        'svg',
        {
          class: 'chart',
          width,
          height,
          viewBox: `0 0 ${width} ${height}`,
          role: 'img',
          'aria-label': sentence(spend.month),
        },
        yAxis(marks, { left, right, y, show: (value) => brief(value, true) }),
        forecast ? svg('polygon', { class: 'band', points: line([now, to(forecast.high), to(forecast.low)]) }) : null,
        forecast ? svg('polyline', { class: 'expected', points: line([now, to(forecast.expected)]) }) : null,
        svg('polyline', { class: 'so-far', points: line(points) }),
        svg('line', { class: 'base', x1: left, x2: right, y1: bottom, y2: bottom }),
        xAxis(days, { bottom, right, gap: 14 }),
      ),
    );
  }

  asTable() {
    const { points } = this.data;
    const columns = [{ title: 'Until (UTC)' }, { title: 'Spent since the month began', number: true }];
    return table(
      'This month',
      columns,
      days(points).map(({ time, total }) => [when(time, 'UTC'), amount(total)]),
    );
  }
}

// The sums at the ends of days, and that of now.
const days = (points) => points.slice(1).filter(({ time }, at, { length }) => time % DAY === 0 || at === length - 1);

function sentence({ spent: so, forecast, forecast_method: method }) {
  const spentSo = `Everything, in UTC: ${dollars(parse(so))} so far`;
  if (!forecast) return `${spentSo}; too early for a forecast.`;
  const [low, expected, high] = [forecast.low, forecast.expected, forecast.high].map((text) => dollars(parse(text)));
  const how = method === 'pace' ? 'at the pace so far' : 'by the hours of the last weeks';
  return `${spentSo}; ${how}, ${expected} by its end (${low} to ${high}).`;
}

// Sums since the month began, at the end of each step in which something was spent.
function cumulative(answer, { from, to }, at) {
  let total = 0n;
  const points = [{ time: from, total }];
  for (const { start, sums } of answer.total.steps ?? []) {
    total += spent(sums);
    points.push({ time: Math.min(Date.parse(start) + DAY / 4, Math.max(at, Date.parse(start)), to), total });
  }
  const end = Math.min(at, to);
  if (points.at(-1).time < end) points.push({ time: end, total });
  return points;
}
