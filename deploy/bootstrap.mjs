#!/usr/bin/env node
// Sets the project up before it runs, so that a fresh clone needs only Node and git.
// It depends on nothing but Node itself, because it is what installs everything else.
//
//   bootstrap.mjs run FILE [ARG ...]   install packages when the lock file changed, then run FILE with tsx
//   bootstrap.mjs test [--long|--quick] [ARG …] the same, install what the tests need, then check and test everything;
//                                      --quick: only the tests that start no process
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
/** 20.15 added zlib.crc32, which the journal and the log memory on disk use. */
const NODE_MIN = [20, 15];

/** Prints progress on stderr: stdout belongs to the program that runs. */
function say(text) {
  process.stderr.write(`${text}\n`);
}

function stop(text) {
  say(`platen: ${text}`);
  process.exit(1);
}

/** How long a lock may exist without the process id, which is written right after it. */
const LOCK_EMPTY_MS_MAX = 5_000;

/** Whether the process is running, under any user. */
function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes a lock file that holds our process id; waits while its holder runs. Returns a function that releases it. */
function takeLock(file) {
  for (let told = false; ; ) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') stop(`${file} cannot be written (${error.message}).`);
    }
    let holder;
    let age;
    try {
      holder = Number(readFileSync(file, 'utf8'));
      age = Date.now() - statSync(file).mtimeMs;
    } catch {
      // Released between the two reads: try again.
      continue;
    }
    if (holder > 0 ? !lives(holder) : age > LOCK_EMPTY_MS_MAX) {
      // Left by a killed process, maybe before it wrote its id.
      rmSync(file, { force: true });
      continue;
    }
    if (!told) say(`platen: process ${holder} installs packages (${file}); waiting for it …`);
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/** Runs npm ci in `folder` when its lock file is not the one installed last. */
export function installPackages(folder) {
  const lock = readFileSync(join(folder, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).update(process.version).digest('hex');
  const stamp = join(folder, 'node_modules', '.platen-lock');
  const current = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  if (current()) return;
  // npm empties node_modules first: two runs at once would leave it broken.
  const release = takeLock(join(folder, '.installing'));
  process.once('exit', release);
  if (current()) {
    release();
    return;
  }
  say('platen: installing packages from package-lock.json (npm ci) …');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  });
  if (npm.error)
    stop(`npm could not be started (${npm.error.message}). Install Node.js with npm, then try again.`);
  if (npm.status !== 0) stop(`npm ci failed in ${folder}. Fix the error above, then run the command again.`);
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  writeFileSync(stamp, wanted);
  release();
}

/**
 * The first file called `program` on the PATH or in the folders where Debian puts servers; an absolute path is returned
 * as is.
 */
function findProgram(program) {
  if (program.startsWith('/')) return existsSync(program) ? program : undefined;
  for (const folder of [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/sbin',
    '/usr/local/sbin',
  ]) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not in this folder: try the next one.
    }
  }
  return undefined;
}

/** Installs the Debian packages of the programs that the tests start, or prints the command to type. */
function installCounterparts() {
  const { tests } = JSON.parse(readFileSync(join(root, 'deploy', 'packages.json'), 'utf8'));
  const missing = Object.entries(tests).filter(([program]) => !findProgram(program));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(([, name]) => name))];
  const command = `apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`;
  if (process.getuid?.() !== 0 || !findProgram('apt-get')) {
    stop(
      `the tests need ${missing.map(([program]) => program).join(', ')}. Type this, then npm test again:\n  sudo sh -c '${command}'`,
    );
  }
  say(`platen: installing Debian packages for the tests: ${names.join(' ')} …`);
  // Services must not start: the tests start their own on free ports.
  const policy = '/usr/sbin/policy-rc.d';
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const apt = spawnSync('sh', ['-c', command], {
    stdio: ['ignore', 'ignore', 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (ownPolicy) rmSync(policy, { force: true });
  if (apt.status !== 0) stop(`installing failed. Type this, then npm test again:\n  ${command}`);
}

/** Runs a command to its end, forwards signals, and returns its exit code. */
function run(command, args, env = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    // The terminal sends SIGINT to the whole group already; only a SIGTERM to this process must be forwarded.
    const pass = () => child.kill('SIGTERM');
    const ignore = () => undefined;
    process.on('SIGTERM', pass);
    process.on('SIGINT', ignore);
    child.on('error', (error) => {
      say(`platen: ${command}: ${error.message}`);
      done(1);
    });
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', pass);
      process.off('SIGINT', ignore);
      done(code ?? (signal ? 128 : 1));
    });
  });
}

async function test(args) {
  const long = args.includes('--long');
  const quick = args.includes('--quick');
  const rest = args.filter((arg) => arg !== '--long' && arg !== '--quick');
  if (!quick) installCounterparts();
  const bin = (name) => join(root, 'node_modules', '.bin', name);
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings=ExperimentalWarning',
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
  ];
  const steps = [
    ['type check', bin('tsc'), ['--noEmit']],
    ['lint', bin('biome'), ['check', '--error-on-warnings', '.']],
    ['imports', 'npm', ['run', '--silent', 'check:imports']],
    ['tests', process.execPath, [...jest, ...rest]],
  ];
  for (const [name, command, commandArgs] of steps) {
    say(`platen: ${name} …`);
    const code = await run(command, commandArgs, {
      ...(long ? { PLATEN_TEST_LONG: '1' } : {}),
      ...(quick ? { PLATEN_TEST_QUICK: '1' } : {}),
    });
    if (code !== 0) {
      say(`platen: ${name} failed`);
      return code;
    }
  }
  return 0;
}

async function main() {
  const [mode, ...args] = process.argv.slice(2);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    stop(`Node.js ${NODE_MIN.join('.')} or newer is needed, this is ${process.version}.`);
  }
  installPackages(root);
  if (mode === 'test') {
    process.chdir(root);
    process.exit(await test(args));
  }
  if (mode === 'run' && args.length > 0) {
    const [file, ...rest] = args;
    // In this process, not a child: signals, exit codes and standard streams are then the program's own.
    const { register } = await import(join(root, 'node_modules', 'tsx', 'dist', 'esm', 'api', 'index.mjs'));
    register();
    process.argv = [process.argv[0], join(root, file), ...rest];
    await import(pathToFileURL(join(root, file)).href);
    return;
  }
  stop('usage: bootstrap.mjs run FILE [ARG ...] | bootstrap.mjs test [--long|--quick] [JEST ARG ...]');
}

await main();
