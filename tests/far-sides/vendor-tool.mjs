// A vendor's tool as an external driver, with the protocol of docs/reference/command-driver.md. Its printer is a JSON
// file (first argument), so that a test can see what was installed and cause events.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const file = process.argv[2];
const load = () => JSON.parse(readFileSync(file, 'utf8'));
const save = (printer) => writeFileSync(file, JSON.stringify(printer));
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const methods = {
  hello: ({ protocol }) => ({
    protocol,
    name: 'vendor-tool',
    installs: ['engine:*'],
    readings: load().readings !== undefined,
    because: 'Only engine software can be installed over the cable.',
  }),
  structure: () => load().structure,
  readings: () => load().readings,
  counters: () => ({ pages: load().pages, printing: false }),
  install: ({ images }, id) => {
    const printer = load();
    for (const [i, image] of images.entries()) {
      if (!existsSync(image.file)) throw new Error(`there is no file ${image.file}`);
      const engine = printer.structure.units.find((unit) => unit.symbol === image.subject.split(':')[0]);
      engine.software[0].version = image.to;
      const sha256 = createHash('sha256').update(readFileSync(image.file)).digest('hex');
      printer.installed = [...(printer.installed ?? []), { to: image.to, sha256 }];
      say({ id, progress: (i + 1) / images.length });
    }
    save(printer);
    return {};
  },
  rollback: ({ images }) => {
    const printer = load();
    for (const image of images) {
      printer.structure.units.find(
        (unit) => unit.symbol === image.subject.split(':')[0],
      ).software[0].version = image.from;
    }
    save(printer);
    return {};
  },
  selfTest: () => {
    if (load().broken) throw new Error('the fuser does not get warm');
    return {};
  },
  restart: () => ({}),
  hang: () => undefined,
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (load().crash) process.exit(3);
  if (load().hang === method) return;
  try {
    say({ id, result: methods[method](params, id) });
  } catch (error) {
    say({ id, error: { message: error.message } });
  }
});

let seen = '';
setInterval(() => {
  const { conditions } = load();
  const text = JSON.stringify(conditions ?? []);
  if (text !== seen) say({ event: 'conditions', data: conditions ?? [], pages: load().pages });
  seen = text;
}, 50);
