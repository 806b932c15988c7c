/** Reports changes of troubles in lanes that were touched, and touches lanes when their deadline comes. */
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
  /** Event time reached. */
  now = Number.NEGATIVE_INFINITY;
  private readonly deadlines = new DeadlineQueue<Lane>();
  private touched: Lane[] = [];
  private changes: TroubleChange[] = [];
  /** Number of the current report. */
  private telling = 0;

  /** The next report looks at the lane. */
  touch(lane: Lane): Lane {
    if (!lane.touched) {
      lane.touched = true;
      this.touched.push(lane);
    }
    return lane;
  }

  /** The lane is gone and is not reported any more. */
  forget(lane: Lane): void {
    lane.queued = Number.POSITIVE_INFINITY;
    if (!lane.touched) return;
    lane.touched = false;
    this.touched = this.touched.filter((each) => each !== lane);
  }

  /** Reports a trouble that belongs to no lane. */
  opened(trouble: TroubleView): void {
    this.changes.push({ kind: 'opened', trouble });
  }

  /** What changed in the touched lanes, in their order. */
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

  /** Advances event time to `now` (ms), which never goes back; touches the lanes whose deadline has come. */
  advance(now: number): void {
    if (now > this.now) this.now = now;
    for (const [deadline, lane] of this.deadlines.until(this.now)) {
      if (lane.queued !== deadline) continue;
      lane.queued = Number.POSITIVE_INFINITY;
      this.touch(lane);
    }
  }

  /** Adopts a lane that was reported before the export: only changes from here on are news. */
  adopt(lane: Lane): void {
    const news = this.changes;
    this.changes = [];
    this.tellLane(lane);
    this.changes = news;
  }

  /** @param ended final troubles, to be reported before they are forgotten */
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
      // Reported before, but gone now.
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
