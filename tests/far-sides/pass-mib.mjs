// Serves OIDs to snmpd's pass_persist from a JSON file {oid: [type, value]}, which it reads at every request, so that a
// test changes the printer by writing the file. Protocol: snmpd.conf(5), pass_persist.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const file = process.argv[2];

const compare = (a, b) => {
  const left = a.split('.').slice(1).map(Number);
  const right = b.split('.').slice(1).map(Number);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i] - right[i];
  }
  return left.length - right.length;
};

const reply = (...lines) => process.stdout.write(`${lines.join('\n')}\n`);
let command;
createInterface({ input: process.stdin }).on('line', (line) => {
  if (command === undefined) {
    if (line === 'PING') reply('PONG');
    else if (line === '') process.exit(0);
    else command = line;
    return;
  }
  const mib = JSON.parse(readFileSync(file, 'utf8'));
  const oid =
    command === 'get'
      ? line in mib
        ? line
        : undefined
      : Object.keys(mib)
          .sort(compare)
          .find((candidate) => compare(candidate, line) > 0);
  if (command === 'set') reply('not-writable');
  else if (oid === undefined) reply('NONE');
  else reply(oid, ...mib[oid].map(String));
  command = undefined;
});
