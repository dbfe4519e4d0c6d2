// Ranges, steps and how times are shown. Zones are that of the browser and UTC, so every midnight can be told here.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
// Minutes are kept for two days unless the config says otherwise; older usage is told by the hour.
const BY_MINUTE = 2 * DAY;

export const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export const RANGES = {
  '1h': { title: '1h', long: 'last hour', ms: HOUR, step: '1m' },
  '6h': { title: '6h', long: 'last 6 hours', ms: 6 * HOUR, step: '5m' },
  '24h': { title: '24h', long: 'last 24 hours', ms: DAY, step: '30m' },
  '7d': { title: '7d', long: 'last 7 days', ms: 7 * DAY, step: '3h' },
  '30d': { title: '30d', long: 'last 30 days', days: 30, step: 'day' },
  '90d': { title: '90d', long: 'last 90 days', days: 90, step: 'day' },
  month: { title: 'Month', long: 'this month', step: 'day' },
};
const STEPS = { '1m': MINUTE, '5m': 5 * MINUTE, '30m': 30 * MINUTE, '1h': HOUR, '3h': 3 * HOUR, '12h': 12 * HOUR };
const SPOKEN = {
  '1m': 'minute',
  '5m': '5 minutes',
  '30m': '30 minutes',
  '1h': 'hour',
  '3h': '3 hours',
  '12h': '12 hours',
  day: 'day',
};

const isUtc = (zone) => zone === 'UTC';

// The midnight that is `days` after the one before `at`.
function midnight(at, days, zone) {
  const date = new Date(at);
  return isUtc(zone)
    ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + days)
    : new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

function monthStart(at, months, zone) {
  const date = new Date(at);
  return isUtc(zone)
    ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months)
    : new Date(date.getFullYear(), date.getMonth() + months).getTime();
}

export const today = (now, zone) => midnight(now, 0, zone);

const up = (at, ms) => Math.ceil(at / ms) * ms;
const down = (at, ms) => Math.floor(at / ms) * ms;

// What the state means at `now`: where it begins and ends, and by which steps it is told.
export function span(state, now) {
  const { zone } = state;
  const range = RANGES[state.range];
  if (!range) return custom(state, now);
  const steps = { step: range.step, spoken: SPOKEN[range.step], long: range.long };
  if (state.range === 'month') {
    return { from: monthStart(now, 0, zone), to: monthStart(now, 1, zone), ...steps };
  }
  if (range.days) {
    return { from: midnight(now, 1 - range.days, zone), to: midnight(now, 1, zone), ...steps };
  }
  // The end is that of a step, so that the same is asked until the next one begins.
  const to = up(now + 1, range.ms >= DAY ? Math.max(STEPS[range.step], HOUR) : STEPS[range.step]);
  return { from: to - range.ms, to, ...steps };
}

function custom({ from, to, zone }, now) {
  const length = to - from;
  const fine = from >= now - BY_MINUTE;
  const step =
    length <= 2 * HOUR && fine
      ? '1m'
      : length <= 8 * HOUR && fine
        ? '5m'
        : length <= 2 * DAY
          ? fine
            ? '30m'
            : '1h'
          : length <= 8 * DAY
            ? '3h'
            : length <= 16 * DAY
              ? '12h'
              : 'day';
  return { from, to, step, spoken: SPOKEN[step], long: `${when(from, zone)} to ${when(to, zone)}` };
}

// Where each step of a span begins.
export function buckets({ from, to, step }, zone) {
  const starts = [from];
  const next = (at) => (step === 'day' ? midnight(at, 1, zone) : down(at, STEPS[step]) + STEPS[step]);
  for (let at = next(from); at < to && starts.length < 2_000; at = next(at)) starts.push(at);
  return starts;
}

// The same hours of the same days of the week, so many whole weeks before that the two do not overlap.
export function before({ from, to }, now) {
  const shift = up(to - from, WEEK);
  const until = Math.min(to, up(now, HOUR));
  // The hour that is not over is told beside the whole hour of then; of a long range that is next to nothing.
  const isFair = until - now <= (to - from) / 200;
  return { from: from - shift, to: until - shift, days: shift / DAY, isFair };
}

export const iso = (at) => new Date(at).toISOString().replace('.000', '');

const formats = new Map();
function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options }));
  }
  return formats.get(key);
}

const CLOCK = { hour: '2-digit', minute: '2-digit' };
const DATE = { weekday: 'short', day: 'numeric', month: 'short' };
const tidy = (text) => text.replace(',', '');

export const day = (at, zone) => tidy(format(zone, DATE).format(at));
export const clock = (at, zone) => format(zone, CLOCK).format(at);
export const seconds = (at, zone) => format(zone, { ...CLOCK, second: '2-digit' }).format(at);
export const when = (at, zone) => tidy(format(zone, { ...DATE, ...CLOCK }).format(at));
export const dayOfMonth = (at, zone) => format(zone, { day: 'numeric', month: 'short' }).format(at);

// `2 h 5 min`; whole, and never more than two units.
export function duration(ms) {
  const total = Math.max(0, Math.round(ms / 1000));
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => total >= size);
  if (first < 0) return '0 s';
  const [unit, size] = units[first];
  const rest = units[first + 1] ? Math.floor((total % size) / units[first + 1][1]) : 0;
  return `${Math.floor(total / size)} ${unit}${rest ? ` ${rest} ${units[first + 1][0]}` : ''}`;
}

// What a field for date and time holds, in a zone.
export function toField(at, zone) {
  const shifted = isUtc(zone) ? at : at - new Date(at).getTimezoneOffset() * MINUTE;
  return new Date(shifted).toISOString().slice(0, 16);
}

export const fromField = (text, zone) => new Date(isUtc(zone) ? `${text}Z` : text).getTime();
