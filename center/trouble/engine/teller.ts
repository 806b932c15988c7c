/** Tells what has become of the troubles of lanes that were touched, and looks at lanes again when time alone asks. */
import { DeadlineQueue } from './deadlines.ts';
import type { Lane } from './lane.ts';
import {
  changeOf,
  idOf,
  type LaneTrouble,
  type LastReport,
  type TroubleChange,
  type TroubleView,
  viewOf,
} from './views.ts';

export class Teller {
  /** How far time has come. */
  now = Number.NEGATIVE_INFINITY;
  private readonly deadlines = new DeadlineQueue<Lane>();
  private touched: Lane[] = [];
  private changes: TroubleChange[] = [];
  /** How many times a lane was told. */
  private telling = 0;

  /** The lane is looked at when it is told next. */
  touch(lane: Lane): Lane {
    if (!lane.touched) {
      lane.touched = true;
      this.touched.push(lane);
    }
    return lane;
  }

  /** The lane is gone: nothing is told of it any more. */
  forget(lane: Lane): void {
    lane.queued = Number.POSITIVE_INFINITY;
    if (!lane.touched) return;
    lane.touched = false;
    this.touched = this.touched.filter((each) => each !== lane);
  }

  /** A trouble that belongs to no lane has opened. */
  opened(trouble: TroubleView): void {
    this.changes.push({ kind: 'opened', trouble });
  }

  /** What has changed in the lanes that were touched, in their order. */
  tell(): TroubleChange[] {
    const { touched } = this;
    this.touched = [];
    for (const lane of touched) {
      lane.touched = false;
      this.tellLane(lane);
    }
    const { changes } = this;
    this.changes = [];
    return changes;
  }

  /** Time has come to `now` (ms); it never goes back. Lanes that this concerns are touched. */
  advance(now: number): void {
    if (now > this.now) this.now = now;
    for (const [deadline, lane] of this.deadlines.until(this.now)) {
      if (lane.queued !== deadline) continue;
      lane.queued = Number.POSITIVE_INFINITY;
      this.touch(lane);
    }
  }

  /** Takes up a lane that was told elsewhere: only what changes from here on is news. */
  adopt(lane: Lane): void {
    const news = this.changes;
    this.changes = [];
    this.tellLane(lane);
    this.changes = news;
  }

  /** @param ended troubles that have ended for good: they are told before they are forgotten */
  tellLane(lane: Lane, ended: LaneTrouble[] = []): void {
    const known = lane.told;
    if (!known && ended.length === 0 && lane.innocent) return;
    if (known || ended.length > 0 || lane.troubled(this.now)) {
      const current = ended.concat(lane.troubles(this.now));
      const told = known ?? new Map<string, LastReport>();
      lane.told = told;
      this.telling += 1;
      const { telling } = this;
      for (const trouble of current) {
        const { life } = trouble;
        const id = idOf(trouble);
        const before = told.get(id);
        if (before?.telling === telling) continue;
        const kinds = changeOf(before, trouble);
        if (before && !kinds) {
          before.telling = telling;
          continue;
        }
        const view = viewOf(trouble, before?.view);
        const { severity, count, reopened, closedAt } = life;
        told.set(id, { view, severity, count, reopened, closedAt, telling });
        for (const kind of kinds ?? []) this.changes.push({ kind, trouble: view });
      }
      // What was told before and is not there now.
      for (const [id, { view, telling: last }] of told) {
        if (last === telling) continue;
        this.changes.push({ kind: 'withdrawn', trouble: view });
        told.delete(id);
      }
      for (const trouble of ended) told.delete(idOf(trouble));
      if (told.size === 0) lane.told = undefined;
    }
    const deadline = lane.deadline();
    if (deadline < lane.queued) {
      lane.queued = deadline;
      this.deadlines.push(deadline, lane);
    }
  }
}
