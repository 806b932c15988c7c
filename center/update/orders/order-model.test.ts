/**
 * Order and agent together, under any sequence of events: the pure state machine with its stored row and retained order
 * on one side, the real updater with its journal on the other, and a network that delays, duplicates and reorders
 * messages in between. Either side may be killed at any time; the center then loses every effect not yet carried out,
 * the agent everything but its journal.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Journal, type JournalState, memoryJournal } from '../../../agent/updater/journal.ts';
import { createUpdater } from '../../../agent/updater/updater.ts';
import type { Updater } from '../../../agent/updater-seam.ts';
import type { Order, OrderStep, UpdateReport } from '../../../schemas/types.ts';
import { fakeContext, fakePrinter } from '../../../tests/harness/fake-printer.ts';
import { temporaryFolder } from '../../../tests/harness/folder.ts';
import { type ExecutionPlan, orderDocument } from './order-plan.ts';
import {
  DEFAULT_TIMES,
  type Execution,
  isEnd,
  isTouched,
  type OrderEvent,
  type OrderState,
  planExecution,
  shows,
  transition,
  wakeAt,
} from './order-state.ts';

const folder = temporaryFolder('platen-model-');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const IMAGES = ['one', 'two'].map((text) => Buffer.from(text));
const shaOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const STEPS: OrderStep[] = IMAGES.map((image, at) => ({
  subject: 'engine:acme.engine',
  from: at === 0 ? '2.4.0' : '2.5.0',
  to: at === 0 ? '2.5.0' : '2.6.1',
  target: `acme.engine/${at}.bin`,
  length: image.length,
  sha256: shaOf(image),
}));
// Every image is already downloaded; downloads are tested in updater.test.ts.
mkdirSync(join(folder, 'updater', 'images'), { recursive: true });
for (const image of IMAGES) writeFileSync(join(folder, 'updater', 'images', shaOf(image)), image);

type Command =
  | {
      do:
        | 'offer'
        | 'timer'
        | 'late timer'
        | 'cancel'
        | 'online'
        | 'deliver order'
        | 'kill center'
        | 'structure';
    }
  | { do: 'deliver report' | 'double report'; which: number }
  | { do: 'kill agent'; atSave: number; before: boolean };

class World {
  execution: Execution;
  readonly plan: ExecutionPlan = { steps: STEPS, structure: { session: 's0', revision: 1 } };
  readonly history: OrderState[] = [];
  atMs = Date.parse('2026-11-23T10:00:00Z');
  retained: Order | undefined;
  /** The store says that the retained order may be out of date. */
  publishDue = false;
  readonly network: UpdateReport[] = [];
  readonly kept: Journal = memoryJournal();
  readonly printer = fakePrinter();
  updater: Updater | undefined;
  session = 0;
  /** Report numbers keep growing over restarts of the agent. */
  seq = 0;
  savesLeft: { at: number; before: boolean } | undefined;
  /** Number of installations of each version by each attempt, not counting those after a power loss. */
  readonly installs = new Map<string, number>();

  constructor(fail: 'nothing' | 'install' | 'selfTest') {
    this.execution = planExecution(this.atMs, this.atMs + 7 * 24 * 3_600_000);
    if (fail === 'install') this.printer.fail.install = 'flash is worn';
    if (fail === 'selfTest') this.printer.fail.selfTest = 'no heartbeat';
    this.boot();
  }

  /** Restarts the agent from its journal. */
  boot(): void {
    this.session++;
    const context = fakeContext(this.printer, folder);
    const alive = this.session;
    context.report = (report) => {
      // Unsent reports of a killed agent are lost.
      if (alive === this.session) this.network.push({ ...report, seq: ++this.seq } as UpdateReport);
    };
    const journal: Journal = {
      load: () => this.kept.load(),
      save: (state: JournalState) => {
        if (alive !== this.session) throw new Error('this agent is dead');
        const kill = this.savesLeft;
        if (kill && --kill.at < 0) {
          this.savesLeft = undefined;
          if (!kill.before) this.kept.save(state);
          this.boot();
          throw new Error('power lost');
        }
        this.kept.save(state);
      },
    };
    this.updater = createUpdater({ journal })(context);
    this.updater.onOrder(this.retained);
  }

  happen(event: OrderEvent): void {
    const before = this.execution;
    const { execution, effects } = transition(before, event, DEFAULT_TIMES);
    // An end is final, and only a structure that the center received is proof.
    if (isEnd(before.state)) expect(execution).toBe(before);
    if (execution.state === 'proven' && before.state !== 'proven') {
      expect(event.type === 'structure' || before.shown === true).toBe(true);
    }
    // A new attempt never begins while the printer may be half changed.
    if (execution.attempt > before.attempt) expect(isTouched(before.state)).toBe(false);
    // Every state that isn't an end has a timeout.
    if (!isEnd(execution.state)) expect(wakeAt(execution, DEFAULT_TIMES)).toBeDefined();
    this.execution = execution;
    if (execution.state !== before.state) this.history.push(execution.state);
    if (effects.some((effect) => effect.type === 'publish')) this.publishDue = true;
  }

  publish(): void {
    if (!this.publishDue) return;
    this.publishDue = false;
    this.retained = orderDocument('e1', 'p1', this.execution, this.plan, undefined, 'http://127.0.0.1:9/');
  }

  structure(): void {
    const event: OrderEvent = {
      type: 'structure',
      at: this.atMs,
      session: 'new',
      shows: shows(this.printer.structure as never, STEPS),
    };
    this.happen(event);
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 12; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  async run(command: Command): Promise<void> {
    this.atMs += 1000;
    const at = this.atMs;
    switch (command.do) {
      case 'offer':
        this.happen({ type: 'offer', at });
        break;
      case 'timer':
        this.happen({ type: 'timer', at, online: true, random: 0.5 });
        break;
      case 'late timer':
        this.atMs = Math.max(at, wakeAt(this.execution, DEFAULT_TIMES) ?? at);
        this.happen({ type: 'timer', at: this.atMs, online: true, random: 0.5 });
        break;
      case 'cancel':
        this.happen({ type: 'cancel', at, reason: 'somebody asked' });
        break;
      case 'online':
        this.happen({ type: 'online', at });
        break;
      case 'deliver order':
        this.publish();
        this.updater?.onOrder(this.retained);
        break;
      case 'kill center':
        // It restarts, finds the due orders, and publishes them.
        this.publish();
        break;
      case 'structure':
        this.structure();
        break;
      case 'deliver report':
      case 'double report': {
        const index = this.network.length === 0 ? -1 : command.which % this.network.length;
        const report = this.network[index];
        if (!report) break;
        if (command.do === 'deliver report') this.network.splice(index, 1);
        this.happen({ type: 'report', at, report, random: 0.5 });
        break;
      }
      case 'kill agent':
        this.savesLeft = { at: command.atSave, before: command.before };
        break;
    }
    await this.settle();
  }

  /** Lets everything arrive and time pass, without further events. */
  async end(): Promise<void> {
    this.savesLeft = undefined;
    for (let turns = 0; turns < 200 && !isEnd(this.execution.state); turns++) {
      await this.run({ do: 'offer' });
      await this.run({ do: 'deliver order' });
      while (this.network.length > 0) await this.run({ do: 'deliver report', which: 0 });
      await this.run({ do: 'structure' });
      if (turns > 5) await this.run({ do: 'late timer' });
    }
    this.publish();
    this.updater?.onOrder(this.retained);
    await this.settle();
    await this.updater?.stop();
  }
}

const simple = fc.constantFrom<Command>(
  { do: 'offer' },
  { do: 'deliver order' },
  { do: 'structure' },
  { do: 'timer' },
  { do: 'online' },
  { do: 'kill center' },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: simple },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom<'deliver report' | 'double report'>('deliver report', 'double report'),
      which: fc.nat(20),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant<'kill agent'>('kill agent'),
      atSave: fc.nat(6),
      before: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Command>({ do: 'late timer' }, { do: 'cancel' }) },
);

test('every execution ends, as the printer is, and none is carried out twice', async () => {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<'nothing' | 'install' | 'selfTest'>('nothing', 'nothing', 'install', 'selfTest'),
      fc.array(command, { maxLength: 40 }),
      async (fail, commands) => {
        const world = new World(fail);
        for (const each of commands) await world.run(each);
        await world.end();
        const { execution, printer } = world;
        expect(isEnd(execution.state)).toBe(true);
        expect(world.retained).toBeUndefined();
        const version = printer.structure.units[0]?.software?.[0]?.version;
        // The order is carried out as a whole or not at all.
        expect(['2.4.0', '2.6.1']).toContain(version);
        if (execution.state === 'proven') expect(version).toBe('2.6.1');
        if (['rolled-back', 'cancelled', 'rejected'].includes(execution.state)) expect(version).toBe('2.4.0');
        // Steps are installed in order; only a step that a power loss interrupted is repeated.
        const installs = printer.done.filter((each) => each.startsWith('+'));
        const first = installs.indexOf('+engine:acme.engine@2.6.1');
        if (first >= 0) {
          expect(installs.slice(0, first)).toContain('+engine:acme.engine@2.5.0');
          const after = printer.done.slice(printer.done.lastIndexOf('+engine:acme.engine@2.6.1') + 1);
          if (!after.some((each) => each.startsWith('-'))) expect(version).toBe('2.6.1');
        }
        ends.set(execution.state, (ends.get(execution.state) ?? 0) + 1);
      },
    ),
    { seed: 20261122, numRuns: 150 },
  );
  // The runs are meaningful: they end in more than one way.
  expect(ends.get('proven') ?? 0).toBeGreaterThan(20);
  expect(ends.get('rolled-back') ?? 0).toBeGreaterThan(5);
  expect(ends.get('cancelled') ?? 0).toBeGreaterThan(5);
});

test('a structure that overtakes the report of the installation proves nothing yet', () => {
  const at = Date.parse('2026-11-23T10:00:00Z');
  const offered = transition(
    planExecution(at, at + 86_400_000),
    { type: 'offer', at },
    DEFAULT_TIMES,
  ).execution;
  let seq = 0;
  const said = (execution: Execution, state: UpdateReport['state']): Execution => {
    const report = { execution: 'e', attempt: execution.attempt, seq: ++seq, state } as UpdateReport;
    return transition(execution, { type: 'report', at, report, random: 0.5 }, DEFAULT_TIMES).execution;
  };
  const shown = { type: 'structure', at, session: 'new', shows: 'every' } as const;
  const verified = said(said(offered, 'accepted'), 'verified');
  // It installed, lost its connection, and shows the new software before it repeats what it had said.
  const seen = transition(verified, shown, DEFAULT_TIMES).execution;
  expect(seen.state).toBe('verified');
  expect(said(said(seen, 'installing'), 'rolled-back').state).toBe('rolled-back');
  expect(said(said(seen, 'installing'), 'claimed').state).toBe('proven');
  // Nothing more is heard of it: the structure is what counts.
  const due = wakeAt(seen, DEFAULT_TIMES) ?? 0;
  const timer = { type: 'timer', at: due, online: true, random: 0.5 } as const;
  expect(transition(seen, timer, DEFAULT_TIMES).execution.state).toBe('proven');
});
