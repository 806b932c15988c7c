/**
 * A repository whose keys all lie on this machine: for trying things out, for tests and for the demonstration fleet.
 * It goes through the same staging, signing and publishing as one with an offline ceremony.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { writeWhole } from '../files/whole-file.ts';
import { reasonOf } from '../schemas/errors.ts';
import { DEFAULT_EXPIRY, RepositoryEditor } from './editor.ts';
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
  /**
   * Adds releases and publishes them; those that are there with the same bytes change nothing.
   * @throws PlatenError release/wrong-key when the keys of the repository are not on this machine
   */
  release(releases: readonly NewRelease[]): Promise<ReleaseTarget[]>;
  /** Signs snapshot and timestamp anew, so that they don't expire. */
  renew(): Promise<void>;
  /**
   * Looks after the repository until the returned function is called: sees what others publish into it, and renews
   * what would expire, as far as the keys for it are here.
   */
  tend(log: Logger): () => void;
}

/** How often the folder is looked at for what others published. */
const LOOK_MS = 5_000;

function readKey(dir: string, role: string): SigningKey | undefined {
  const file = join(dir, `${role}.pem`);
  return existsSync(file) ? signingKey(readFileSync(file, 'utf8'), file) : undefined;
}

async function makeKey(dir: string, role: string): Promise<SigningKey> {
  const known = readKey(dir, role);
  if (known) return known;
  const file = join(dir, `${role}.pem`);
  await writeWhole(file, generateKeyPem(), { exclusive: true });
  return signingKey(readFileSync(file, 'utf8'), file);
}

/**
 * Opens the repository in `dir`. When there is none, it makes keys in `keys` (mode 0600) and a first root.
 * @param now milliseconds since the epoch
 */
export async function openLocalRepository(
  dir: string,
  keys: string,
  now: () => number,
): Promise<LocalRepository> {
  const editor = new RepositoryEditor(dir, now);
  const repository = openRepository(dir);
  if (!repository.rootBytes()) {
    await mkdir(keys, { recursive: true, mode: 0o700 });
    const spec = async (role: (typeof ROLES)[number]) => ({
      keys: [(await makeKey(keys, role)).key],
      threshold: 1,
    });
    await editor.init({
      root: await spec('root'),
      targets: await spec('targets'),
      snapshot: await spec('snapshot'),
      timestamp: await spec('timestamp'),
    });
  }
  const listed = (role: string) => {
    const key = readKey(keys, role);
    return key ? [key] : [];
  };
  const publish = async () => {
    for (const { role, complete } of await editor.status()) {
      if (!complete) await editor.sign(role, role === 'root' ? listed('root') : listed('targets'));
    }
    await editor.publish({ snapshot: listed('snapshot'), timestamp: listed('timestamp') });
    repository.reload();
  };
  if (!repository.rootBytes()) await publish();
  return {
    ...repository,
    renew: publish,
    tend: (log) => {
      const timestamp = join(dir, 'metadata', 'timestamp.json');
      let seenMs = statSync(timestamp).mtimeMs;
      let busy = false;
      const look = async () => {
        const { mtimeMs } = await stat(timestamp);
        if (mtimeMs !== seenMs) {
          seenMs = mtimeMs;
          repository.reload();
          log.info({ releases: repository.list().length }, 'the release repository was published anew');
        }
        const { expires } = (JSON.parse(readFileSync(timestamp, 'utf8')) as { signed: { expires: string } })
          .signed;
        const halfMs = (DEFAULT_EXPIRY.timestamp * 86_400_000) / 2;
        if (Date.parse(expires) - now() > halfMs || listed('timestamp').length === 0) return;
        await editor.publish({ snapshot: listed('snapshot'), timestamp: listed('timestamp') });
        repository.reload();
      };
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        look()
          .catch((error: unknown) =>
            log.warn({ reason: reasonOf(error) }, 'the release repository could not be looked after'),
          )
          .finally(() => {
            busy = false;
          });
      }, LOOK_MS);
      timer.unref();
      return () => clearInterval(timer);
    },
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
