/**
 * Images of releases that wait for signatures. They lie beside the repository, not in it, so that its folder contains
 * only what is published.
 */
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PlatenError } from '../schemas/errors.ts';
import { sha256Of } from './repository.ts';

/** Where images wait, below the folder of what is staged. */
const FOLDER = 'images';

/** Whether the file exists with these bytes. */
async function holds(file: string, length: number, sha256: string): Promise<boolean> {
  try {
    return (await stat(file)).size === length && (await sha256Of(file)) === sha256;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Copies an image to `to`, whole or not at all. */
async function copyWhole(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const part = `${to}.${process.pid}.part`;
  await copyFile(from, part);
  await rm(to, { force: true });
  await link(part, to);
  await rm(part);
}

/** Puts an image beside the repository until its entry is published. */
export async function stageImage(staged: string, target: string, file: string): Promise<void> {
  await copyWhole(file, join(staged, FOLDER, target));
}

/** The second name of a published image: TUF's consistent snapshots have the hash in it. */
function hashedName(target: string, sha256: string): string {
  return join(dirname(target), `${sha256}.${target.slice(target.lastIndexOf('/') + 1)}`);
}

/**
 * Puts an image into the repository under both its names, from `from` or from where it was staged. Correct files stay.
 */
export async function placeImage(
  dir: string,
  staged: string,
  target: string,
  { length, sha256 }: { length: number; sha256: string },
  from?: string,
): Promise<void> {
  const plain = join(dir, target);
  const waiting = join(staged, FOLDER, target);
  if (!(await holds(plain, length, sha256))) {
    const source = from ?? waiting;
    // Metadata may be signed and published where the image is missing; printers then get it from a mirror.
    if (!existsSync(source)) return;
    if (!(await holds(source, length, sha256))) {
      const reason = `the image ${source} is not what was signed for ${target}: add it again`;
      throw new PlatenError('release/invalid', { reason });
    }
    await copyWhole(source, plain);
  }
  const hashed = join(dir, hashedName(target, sha256));
  if (!(await holds(hashed, length, sha256))) {
    await rm(hashed, { force: true });
    await link(plain, hashed);
  }
  await rm(waiting, { force: true });
}
