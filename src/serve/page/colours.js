// Which colour a value has. It keeps the one it got as long as it is shown, so that a change of ranks repaints nothing.

export const COLOURS = 10;
const slots = new Map();

// Returns a class for each of `values` of the label `by`.
export function classes(by, values) {
  const known = slots.get(by) ?? new Map();
  const kept = new Map(values.filter((value) => known.has(value)).map((value) => [value, known.get(value)]));
  const used = new Set(kept.values());
  const free = Array.from({ length: COLOURS }, (_, at) => at).filter((at) => !used.has(at));
  for (const value of values) {
    if (!kept.has(value)) kept.set(value, free.shift() ?? COLOURS - 1);
  }
  slots.set(by, kept);
  return (value) => (kept.has(value) ? `c${kept.get(value)}` : 'rest');
}
