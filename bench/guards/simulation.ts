/**
 * Whole campaigns over simulated fleets, with the functions that decide in the center: the campaign's state machine,
 * the watch over codes and the guards. Orders wait up to a day for a maintenance window, so that a campaign over 400
 * printers takes about a week; the two weeks before it and the week after it are simulated too.
 */
import { seededRandom } from '../../base/random.ts';
import { CodeWatch, DAY_MS, dayOf, HOUR_MS, WEEK_MS } from '../../center/statistics/code-watch.ts';
import {
  type CampaignEvent,
  type CampaignRecord,
  campaignTransition,
  DEFAULT_PACE,
  newCampaign,
} from '../../center/update/campaigns/campaign-state.ts';
import { DEFAULT_GUARD } from '../../center/update/campaigns/guard.ts';
import { CAMPAIGN_CODES_MAX } from '../../center/update/limits.ts';

export interface World {
  targets: number;
  /** Longest wait of an installation for its window, hours; default one day. */
  hours?: number;
  /** Share of the targets that is off for a week, starting within the three days around the start. */
  offForAWeek?: number;
  /** Smallest share of the day that a printer is on; each printer has its own share, from this up to 1. */
  onAtLeast?: number;
  /** Every start also logs an entry of this severity. */
  logsAtStart?: 'info' | 'warning';
  /** Busiest printers first instead of a random draw. */
  busiestFirst?: boolean;
  /** One site of ten loses its network in the middle of the campaign, and every printer there logs it. */
  siteFails?: boolean;
  /** A tenth of the printers is of a model that is not reported, logs this many times as much, and comes first. */
  unseenModel?: number;
  /** All printers log this many times as much on working days as at the weekend. */
  weekdays?: number;
  /** Factor by which the release raises the rate of the first code. */
  theta?: number;
  /** Mean events of the first code per printer and day; the other codes are half and a quarter as frequent. */
  perDay?: number;
  /** Failure rate of the installations. */
  failing?: number;
}

export interface Ended {
  state: CampaignRecord['state'];
  reason: string;
  /** Kinds of findings, each with the days from the first update to the finding. */
  found: Map<string, number>;
  exposed: number;
  record: CampaignRecord;
}

const START = 28 * DAY_MS + 8 * HOUR_MS;
const BEFORE = START - 10 * DAY_MS;
/** Long enough for a campaign whose installations wait up to a day, and the week after it. */
const DAYS_MAX = 20;
/** Long enough for a campaign that ends within a day, and the week after it. */
const DAYS_QUICK_MAX = 9;
const CODES = ['J-7201', 'J-1100', 'C-2557'];
const SITES = 10;

interface Printer {
  name: string;
  rate: number;
  order: number;
  online: boolean;
  changedAt: number;
  waitsForOn: boolean;
  begun: boolean;
}

type Happening = { at: number; printer: Printer } & (
  | { kind: 'on' | 'off' }
  /** `real`: it happens with any release; otherwise only because of this one. */
  | { kind: 'event'; code: string; real: boolean; always?: boolean }
  | { kind: 'install' }
  | { kind: 'end' }
);

/** Runs one campaign to its end and a week beyond. */
export function simulate(world: World, seed: number): Ended {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const count = world.targets;
  const perDay = world.perDay ?? 0.1;
  const theta = world.theta ?? 1;
  const end = endOf(world);
  const happenings: Happening[] = [];
  const printers = Array.from({ length: count }, (_, index): Printer => {
    const unseen = world.unseenModel !== undefined && index < count / 10;
    const rate = Math.exp(normal() - 0.5) * (unseen ? (world.unseenModel ?? 1) : 1);
    return {
      name: `p${index}`,
      rate,
      order: unseen ? random() - 1 : random(),
      online: true,
      changedAt: Number.POSITIVE_INFINITY,
      waitsForOn: false,
      begun: false,
    };
  });
  if (world.busiestFirst) for (const printer of printers) printer.order = -printer.rate;
  const days = new Map<Printer, Set<number>>();
  for (const printer of printers) {
    const spans = onSpans(world, random);
    const on = new Set<number>();
    for (const [from, until] of spans) {
      if (from > BEFORE) {
        happenings.push({ at: from, printer, kind: 'on' });
        if (world.logsAtStart === 'warning')
          happenings.push({
            at: from + 20_000,
            printer,
            kind: 'event',
            code: 'S-0001',
            real: true,
            always: true,
          });
      }
      if (until < end) happenings.push({ at: until, printer, kind: 'off' });
      const last = Math.min(dayOf(until - 1), dayOf(START) - 1);
      for (let day = dayOf(from); day <= last; day++) on.add(day);
      for (const [nth, code] of CODES.entries()) {
        const most = nth === 0 ? theta : 1;
        const rate = (printer.rate * perDay * most) / 2 ** nth / DAY_MS;
        for (let at = gap(from, rate, random); at < until; at = gap(at, rate, random)) {
          if (world.weekdays !== undefined && dayOf(at) % 7 < 2 && random() > 1 / world.weekdays) continue;
          happenings.push({ at, printer, kind: 'event', code, real: random() < 1 / most });
        }
      }
    }
    printer.online = spans.some(([from, until]) => from <= BEFORE && until > BEFORE);
    days.set(printer, on);
  }
  if (world.siteFails) {
    const at = START + (1 + 5 * random()) * DAY_MS;
    const site = Math.floor(random() * SITES);
    for (const [index, printer] of printers.entries()) {
      if (index % SITES !== site) continue;
      happenings.push({
        at: at + random() * 20 * 60_000,
        printer,
        kind: 'event',
        code: 'N-0001',
        real: true,
        always: true,
      });
    }
  }
  happenings.sort((a, b) => a.at - b.at);
  return play(world, printers, days, happenings, random);
}

function endOf(world: World): number {
  return START + ((world.hours ?? 24) <= 1 ? DAYS_QUICK_MAX : DAYS_MAX) * DAY_MS;
}

/** Time of the next event of a Poisson process. */
function gap(at: number, rate: number, random: () => number): number {
  return at - Math.log(1 - random()) / rate;
}

/** Spans during which a printer is on. */
function onSpans(world: World, random: () => number): [number, number][] {
  const end = endOf(world);
  if (world.offForAWeek !== undefined && random() < world.offForAWeek) {
    const from = START + (random() - 0.5) * 3 * DAY_MS;
    return [
      [BEFORE - DAY_MS, from],
      [from + WEEK_MS, end],
    ];
  }
  if (world.onAtLeast === undefined) return [[BEFORE - DAY_MS, end]];
  const share = world.onAtLeast + (1 - world.onAtLeast) * random();
  if (share > 0.98) return [[BEFORE - DAY_MS, end]];
  const begins = random() * (1 - share);
  const spans: [number, number][] = [];
  for (let day = dayOf(BEFORE); day < dayOf(end); day++) {
    const from = (day + begins * (0.8 + 0.4 * random())) * DAY_MS;
    spans.push([from, Math.min(from + share * DAY_MS, (day + 1) * DAY_MS - 60_000)]);
  }
  return spans;
}

function play(
  world: World,
  printers: Printer[],
  days: Map<Printer, Set<number>>,
  happenings: Happening[],
  random: () => number,
): Ended {
  const watch = new CodeWatch(CAMPAIGN_CODES_MAX);
  let record = newCampaign(printers.length, { ...DEFAULT_PACE, atOnce: 100 }, DEFAULT_GUARD, 'running');
  const found = new Map<string, number>();
  let first = Number.POSITIVE_INFINITY;
  const happen = (event: CampaignEvent, at: number) => {
    const before = record.findings.length;
    const { campaign, allowance } = campaignTransition(record, event);
    record = campaign;
    for (const { kind } of record.findings.slice(before)) {
      if (!found.has(kind)) found.set(kind, (at - first) / DAY_MS);
    }
    return allowance;
  };
  const waiting = [...printers].sort((a, b) => a.order - b.order);
  const exposures = new Map<Printer, number>();
  let underWay = 0;
  /** Events that follow from other events; never many at a time. */
  const later: Happening[] = [];
  const dispatch = (at: number) => {
    for (;;) {
      const active = underWay;
      const { dispatch: room } = happen({ type: 'tick', at, waiting: waiting.length, underWay, active }, at);
      let given = 0;
      for (let place = 0; place < waiting.length && given < room; ) {
        const printer = waiting[place] as Printer;
        // Canaries must be online.
        if (record.stage === 'canaries' && !printer.online) {
          place++;
          continue;
        }
        waiting.splice(place, 1);
        given++;
        underWay++;
        later.push({ at: at + random() * (world.hours ?? 24) * HOUR_MS, printer, kind: 'install' });
      }
      if (given === 0) return;
      happen({ type: 'dispatched', at, count: given }, at);
    }
  };
  let begun = false;
  let lookAt = START;
  const step = (it: Happening): void => {
    const { at, printer } = it;
    if (begun) {
      for (const seen of watch.advance(at)) happen({ type: 'observed', seen }, at);
      if (at > lookAt) {
        lookAt = at + HOUR_MS;
        if (record.state === 'running') dispatch(at);
      }
    }
    switch (it.kind) {
      case 'on':
      case 'off':
        printer.online = it.kind === 'on';
        if (begun) watch.presence(printer.name, printer.online, at);
        if (printer.online && printer.waitsForOn) {
          printer.waitsForOn = false;
          later.push({ at: at + 60_000, printer, kind: 'install' });
        }
        return;
      case 'event':
        if (!it.real && at < printer.changedAt) return;
        if (!printer.online && it.always !== true) return;
        if (!begun) watch.past(printer.name, it.code, at);
        else
          for (const seen of watch.sight(printer.name, it.code, at)) happen({ type: 'observed', seen }, at);
        return;
      case 'install': {
        if (record.state === 'halted') return;
        if (!printer.online) {
          printer.waitsForOn = true;
          return;
        }
        first = Math.min(first, at);
        exposures.set(printer, record.guard.exposed);
        happen({ type: 'exposed' }, at);
        for (const seen of watch.changing(printer.name, at)) happen({ type: 'observed', seen }, at);
        later.push({ at: at + 10 * 60_000, printer, kind: 'end' });
        return;
      }
      case 'end': {
        const failed = random() < (world.failing ?? 0.005);
        underWay--;
        happen({ type: 'outcome', exposure: exposures.get(printer) ?? 0, failed }, at);
        const paired = watch.changed(printer.name, !failed, at);
        if (!failed) {
          printer.changedAt = at;
          happen({ type: 'changed', paired }, at);
        }
        // It restarted.
        watch.presence(printer.name, false, at);
        watch.presence(printer.name, true, at);
        printer.online = true;
        dispatch(at);
      }
    }
  };
  watch.add(
    printers.map((printer, index) => ({
      printer: printer.name,
      model: index % 2 === 0 ? 'C360' : 'C650',
      site: `site-${index % SITES}`,
      online: printer.online,
      days: days.get(printer) ?? [],
    })),
    START,
  );
  let next = 0;
  for (;;) {
    let soonest = -1;
    for (let place = 0; place < later.length; place++) {
      if (soonest < 0 || (later[place] as Happening).at < (later[soonest] as Happening).at) soonest = place;
    }
    const ready = later[soonest];
    const given = happenings[next];
    const it = ready && (!given || ready.at <= given.at) ? ready : given;
    if (!it) break;
    if (it === ready) later.splice(soonest, 1);
    else next++;
    if (!begun && it.at >= START) {
      watch.pastEnds();
      begun = true;
      for (const printer of printers) watch.presence(printer.name, printer.online, START);
      dispatch(START);
    }
    if (record.state === 'halted' || (record.watchUntil !== undefined && it.at > record.watchUntil)) break;
    step(it);
  }
  return {
    state: record.state,
    reason: record.reason ?? '',
    found,
    exposed: record.guard.exposed,
    record,
  };
}
