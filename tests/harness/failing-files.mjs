/**
 * Preloaded into a process (`--import`): while `globalThis.failing.fsync` or `.rename` is true, those calls fail as on
 * a device with I/O errors. Data written before stays in the file, as on a real device.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

globalThis.failing = { fsync: false, rename: false };

function failure(syscall) {
  return Object.assign(new Error(`EIO: i/o error, ${syscall}`), { code: 'EIO', errno: -5, syscall });
}

function wrap(owner, name, kind, fails) {
  const real = owner[name];
  owner[name] = function (...args) {
    return globalThis.failing[kind] ? fails(args) : real.apply(this, args);
  };
}

const throws = (syscall) => () => {
  throw failure(syscall);
};
const rejects = (syscall) => () => Promise.reject(failure(syscall));
const calls = (syscall) => (args) => process.nextTick(args.at(-1), failure(syscall));

const handle = await fs.promises.open(process.execPath, 'r');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
wrap(prototype, 'sync', 'fsync', rejects('fsync'));
wrap(prototype, 'datasync', 'fsync', rejects('fdatasync'));
for (const name of ['fsync', 'fdatasync']) {
  wrap(fs, `${name}Sync`, 'fsync', throws(name));
  wrap(fs, name, 'fsync', calls(name));
}
wrap(fs, 'renameSync', 'rename', throws('rename'));
wrap(fs, 'rename', 'rename', calls('rename'));
wrap(fs.promises, 'rename', 'rename', rejects('rename'));
syncBuiltinESMExports();
