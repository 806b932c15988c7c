import pino from 'pino';
import { Summary } from './summary.ts';

/** A summary over a fleet of which only how often it was counted is known. */
function counted() {
  let counts = 0;
  let whileCounting = () => {};
  const summary = new Summary({
    store: {
      printers: {
        counts: async () => {
          counts += 1;
          whileCounting();
          return {
            printers: counts,
            left: { retired: 0, revoked: 0 },
            presence: { online: 0, offline: counts },
            unreachable: 0,
            verdict: {},
            model: {},
          };
        },
      },
    },
    troubles: { countOpen: async () => 0 },
    campaigns: { running: async () => 0 },
    events: { touch: () => () => {} },
    link: { publish: async () => {} },
    log: pino({ level: 'silent' }),
    now: Date.now,
  });
  return { summary, during: (work: () => void) => (whileCounting = work) };
}

test('the fleet is counted once for everybody who asks until something changes', async () => {
  const { summary } = counted();
  expect((await summary.current()).printers).toBe(1);
  expect((await summary.current()).printers).toBe(1);
  summary.touch();
  expect((await summary.current()).printers).toBe(2);
  expect((await summary.current()).printers).toBe(2);
  summary.stop();
});

test('what changes while the fleet is counted is counted by whoever asks next', async () => {
  const { summary, during } = counted();
  during(() => summary.touch());
  expect((await summary.current()).printers).toBe(1);
  during(() => {});
  expect((await summary.current()).printers).toBe(2);
  expect((await summary.current()).printers).toBe(2);
  summary.stop();
});
