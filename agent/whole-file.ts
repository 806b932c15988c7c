/**
 * Small files that must survive a crash or a power loss: written aside and renamed, so that there is the old one or the new
 * one, whole.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes `text` as the whole of `file`, for its owner only; its folder is made where it is missing. Without `synced` a power
 * loss may leave it empty (a crash doesn't): for what is written often and can be learned again.
 */
export function writeWhole(file: string, text: string, { synced = true } = {}): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const aside = `${file}.new`;
  const handle = openSync(aside, 'w', 0o600);
  try {
    writeFileSync(handle, text);
    if (synced) fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(aside, file);
  if (!synced) return;
  // The new name is durable only when the folder is (fsync(2)).
  const names = openSync(folder, 'r');
  try {
    fsyncSync(names);
  } finally {
    closeSync(names);
  }
}
