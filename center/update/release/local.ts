/**
 * A repository whose keys all lie on this machine: for trying things out, for tests and for the demonstration fleet.
 * It goes through the same staging, signing and publishing as one with an offline ceremony.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RepositoryEditor } from './editor.ts';
import { generateKeyPem, type SigningKey, signingKey } from './keys.ts';
import { openRepository, type Repository } from './repository.ts';
import type { ReleaseCustom, ReleaseTarget } from './targets.ts';

const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

/** What is to be released: its image as bytes or as a file, and what the catalog says of it. */
export interface NewRelease {
  image: Buffer | { file: string };
  custom: ReleaseCustom;
}

export interface LocalRepository extends Repository {
  /** Adds releases and publishes them; those that are there with the same bytes change nothing. */
  release(releases: readonly NewRelease[]): Promise<ReleaseTarget[]>;
  /** Signs snapshot and timestamp anew, so that they don't expire. */
  renew(): Promise<void>;
}

async function localKey(dir: string, role: string): Promise<SigningKey> {
  const file = join(dir, `${role}.pem`);
  if (!existsSync(file)) await writeFile(file, generateKeyPem(), { mode: 0o600, flag: 'wx' });
  return signingKey(readFileSync(file, 'utf8'), file);
}

/**
 * Opens the repository in `dir`, making keys in `keys` (mode 0600) and a first root when there is none.
 * @param now milliseconds since the epoch
 */
export async function openLocalRepository(
  dir: string,
  keys: string,
  now: () => number,
): Promise<LocalRepository> {
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const byRole = Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, await localKey(keys, role)] as const)),
  ) as Record<(typeof ROLES)[number], SigningKey>;
  const editor = new RepositoryEditor(dir, now);
  const repository = openRepository(dir);
  const online = { snapshot: [byRole.snapshot], timestamp: [byRole.timestamp] };
  const publish = async () => {
    for (const { role, complete } of await editor.status()) {
      if (!complete) await editor.sign(role, [role === 'root' ? byRole.root : byRole.targets]);
    }
    await editor.publish(online);
    repository.reload();
  };
  if (!repository.rootBytes()) {
    const spec = (role: (typeof ROLES)[number]) => ({ keys: [byRole[role].key], threshold: 1 });
    await editor.init({
      root: spec('root'),
      targets: spec('targets'),
      snapshot: spec('snapshot'),
      timestamp: spec('timestamp'),
    });
    await publish();
  }
  return {
    ...repository,
    renew: publish,
    release: async (releases) => {
      const scratch = await mkdtemp(join(tmpdir(), 'platen-release-'));
      try {
        const added: ReleaseTarget[] = [];
        for (const [index, { image, custom }] of releases.entries()) {
          let file: string;
          if (Buffer.isBuffer(image)) {
            file = join(scratch, String(index));
            await writeFile(file, image);
          } else {
            file = image.file;
          }
          added.push(await editor.add(file, custom));
        }
        await publish();
        return added;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}
