// Dollars as whole picodollars, exact as the ledger has them; and counts. Floats are for heights of bars only.

const PLACES = 12;
const ONE = 10n ** 12n;

export function parse(text) {
  const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const pico = BigInt(whole) * ONE + BigInt(part.padEnd(PLACES, '0'));
  return sign ? -pico : pico;
}

// The exact decimal, without zeros behind it.
export function exact(pico) {
  const [sign, size] = pico < 0n ? ['-', -pico] : ['', pico];
  const part = (size % ONE).toString().padStart(PLACES, '0').replace(/0+$/, '');
  return `${sign}${size / ONE}${part ? `.${part}` : ''}`;
}

function rounded(size, places) {
  const unit = 10n ** BigInt(PLACES - places);
  const units = (size + unit / 2n) / unit;
  const scale = 10n ** BigInt(places);
  const part = places ? `.${(units % scale).toString().padStart(places, '0')}` : '';
  return `${grouped((units / scale).toString())}${part}`;
}

// What a person reads: cents; below a dollar as many places as tell something.
export function dollars(pico) {
  const [sign, size] = pico < 0n ? ['−', -pico] : ['', pico];
  if (size === 0n) return '$0';
  if (size < 10n ** 6n) return `${sign}<$0.000001`;
  const places = size >= ONE ? 2 : size >= ONE / 100n ? 3 : size >= ONE / 10_000n ? 4 : 6;
  return `${sign}$${rounded(size, places)}`;
}

// Short, for axes.
export function brief(value, isMoney) {
  if (!isMoney) return short(Number(value));
  const usd = Number(value) / 1e12;
  if (usd !== 0 && usd < 0.01) return `$${Number(usd.toPrecision(1))}`;
  return usd < 100 ? `$${Number(usd.toFixed(2))}` : `$${short(usd)}`;
}

function short(number) {
  for (const [unit, size] of [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ]) {
    if (number >= size) return `${Number((number / size).toPrecision(3))}${unit}`;
  }
  return `${Number(number.toPrecision(3))}`;
}

export function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

// Counts come as JSON's numbers; what those can't tell exactly is marked.
export function count(number) {
  return `${Number.isSafeInteger(number) ? '' : '≈'}${grouped(Math.round(number).toString())}`;
}

export function percent(share) {
  const percents = share * 100;
  if (percents === 0) return '0%';
  if (percents < 0.1) return '<0.1%';
  return `${percents < 10 ? percents.toFixed(1) : Math.round(percents)}%`;
}

// What usage is measured in: how to take it from sums, and how to show it. All are whole numbers.
const total = (counts) => Object.values(counts ?? {}).reduce((sum, one) => sum + BigInt(one), 0n);
const plain = (value) => grouped(value.toString());
export const MEASURES = {
  spend: { title: 'Spend', of: (sums) => spent(sums), show: dollars, isMoney: true },
  tokens: { title: 'Tokens', of: (sums) => total(sums.tokens), show: plain },
  calls: { title: 'Calls', of: (sums) => BigInt(sums.requests), show: plain },
  throttled: { title: 'Throttled calls', of: (sums) => BigInt(sums.outcomes?.throttled ?? 0), show: plain },
};

export function spent(sums) {
  return parse(sums.cost_usd) + parse(sums.charge_usd ?? '0');
}

export function unpriced(sums) {
  return total(sums.unpriced_tokens);
}

// An amount with its exact decimal behind it.
export function amount(pico) {
  const node = document.createElement('data');
  node.value = exact(pico);
  node.title = `$${exact(pico)}`;
  node.textContent = dollars(pico);
  return node;
}
