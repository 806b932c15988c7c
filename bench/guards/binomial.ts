/** Exact (Clopper–Pearson) 95 % bounds of a probability observed `hits` times in `tries`. */
export function clopperPearson(hits: number, tries: number): [low: number, high: number] {
  return [hits === 0 ? 0 : bound(hits - 1, tries, 0.975), hits >= tries ? 1 : bound(hits, tries, 0.025)];
}

/** The probability of success at which at most `hits` have the probability `wanted`. */
function bound(hits: number, tries: number, wanted: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (atMost(hits, tries, middle) > wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function atMost(hits: number, tries: number, chance: number): number {
  const odds = Math.log(chance) - Math.log1p(-chance);
  let log = tries * Math.log1p(-chance);
  let sum = Math.exp(log);
  for (let k = 1; k <= hits; k++) {
    log += Math.log((tries - k + 1) / k) + odds;
    sum += Math.exp(log);
  }
  return sum;
}
