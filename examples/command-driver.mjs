// A driver for a printer that only its vendor's tool can reach: the agent starts this program and talks to it in JSON lines
// (docs/reference/command-driver.md). This one drives a printer that is a JSON file:
//   { "printer": "office-9", "urls": ["command://office-9"],
//     "command": { "run": ["node", "examples/command-driver.mjs", "printer.json"] } }
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const file = process.argv[2];
const load = () => JSON.parse(readFileSync(file, 'utf8'));
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** The software that a subject such as `engine:acme.engine` names. */
function softwareOf({ apparatus, units }, subject) {
  const colon = subject.indexOf(':');
  const symbol = subject.slice(0, colon);
  const part = symbol === 'apparatus' ? apparatus : units.find((unit) => unit.symbol === symbol);
  return part.software.find(({ id }) => id === subject.slice(colon + 1));
}

function setVersions(images, which) {
  const structure = load();
  for (const image of images) softwareOf(structure, image.subject).version = image[which];
  writeFileSync(file, JSON.stringify(structure));
  return {};
}

const methods = {
  hello: ({ protocol }) => ({ protocol, name: 'example', installs: true }),
  structure: load,
  counters: () => ({ printing: false }),
  // `file` of each image is the verified image. A real tool sends it to the printer here.
  install: ({ images }) => setVersions(images, 'to'),
  rollback: ({ images }) => setVersions(images, 'from'),
  selfTest: () => ({}),
  restart: () => ({}),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  try {
    if (!Object.hasOwn(methods, method)) throw new Error(`there is no method ${method}`);
    say({ id, result: methods[method](params) });
  } catch (error) {
    say({ id, error: { message: error.message } });
  }
});
