/**
 * Whether a figure that is sampled each minute is flat. The slope is the median of the slopes between all pairs of
 * samples (Theil-Sen), so that a minute in which the machine was busy does not shift it. Pure.
 */

export interface Sample {
  minute: number;
  value: number;
}

export interface Bound {
  /** Hourly growth that still counts as flat: the larger of this share of the median and of `least`. */
  share: number;
  least: number;
}

export interface Trend {
  samples: number;
  first: number;
  median: number;
  last: number;
  most: number;
  perHour: number;
  perHourMax: number;
  flat: boolean;
}

const MINUTES_PER_HOUR = 60;

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The trend of samples in the order of their minutes. A falling figure counts as flat: only growth is a leak. */
export function trendOf(samples: Sample[], bound: Bound): Trend {
  const slopes: number[] = [];
  for (const [index, from] of samples.entries()) {
    for (const to of samples.slice(index + 1)) {
      if (to.minute > from.minute) slopes.push((to.value - from.value) / (to.minute - from.minute));
    }
  }
  const values = samples.map(({ value }) => value);
  const middle = median(values);
  const perHour = median(slopes) * MINUTES_PER_HOUR;
  const perHourMax = Math.max(bound.share * Math.abs(middle), bound.least);
  return {
    samples: samples.length,
    first: values[0] ?? 0,
    median: middle,
    last: values.at(-1) ?? 0,
    most: values.reduce((most, value) => Math.max(most, value), 0),
    perHour,
    perHourMax,
    flat: perHour <= perHourMax,
  };
}
