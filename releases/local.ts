/**
 * A repository whose keys are all on this machine: for trials, for tests and for the demonstration fleet.
 * It goes through the same staging, signing and publishing as one with an offline ceremony.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { writeWhole } from '../files/whole-file.ts';
import { reasonOf } from '../schemas/errors.ts';
import { DEFAULT_EXPIRY, RepositoryEditor } from './editor.ts';
import { type AnnouncedExpiries, type ExpiryNews, expiryNews } from './expiry.ts';
import { generateKeyPem, type SigningKey, signingKey } from './keys.ts';
import { openRepository, type Repository } from './repository.ts';
import type { ReleaseCustom, ReleaseTarget } from './targets.ts';

const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

/** A release to add: its image as bytes or as a file, and its entry in the catalog. */
export interface NewRelease {
  image: Buffer | { file: string };
  custom: ReleaseCustom;
}

export interface LocalRepository extends Repository {
  /**
   * Adds releases and publishes them. Releases that exist with the same bytes change nothing.
   * @throws PlatenError release/wrong-key when the keys of the repository are not on this machine
   */
  release(releases: readonly NewRelease[]): Promise<ReleaseTarget[]>;
  /** Signs again what is published: snapshot, timestamp, and what is close to expiry, if its keys are here. */
  renew(): Promise<void>;
  /**
   * Maintains it once: notices what others published, renews what would expire if its keys are here, and announces
   * what is close to expiry otherwise.
   */
  look(log: Logger): Promise<void>;
  /** Maintains it until the returned function is called. */
  tend(log: Logger): () => void;
  /** Sets the listener to expiry: 30 days, 7 days and a day before, and at the end. */
  onExpiring(listener: (news: ExpiryNews) => void): void;
}

/** How often to look for what others published. */
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;

function readKey(dir: string, role: string): SigningKey | undefined {
  const file = join(dir, `${role}.pem`);
  return existsSync(file) ? signingKey(readFileSync(file, 'utf8'), file) : undefined;
}

/** The keys of a role that lie in the folder: `ROLE.pem`, or `ROLE-1.pem` and so on where it has several. */
function readKeys(dir: string, role: string): SigningKey[] {
  const several = new RegExp(`^${role.replace(/[^a-z0-9-]/g, '')}-\\d{1,3}\\.pem$`);
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => several.test(name)) : [];
  return [role, ...names.sort().map((name) => name.slice(0, -4))].flatMap((name) => readKey(dir, name) ?? []);
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
  const listed = (role: string) => readKeys(keys, role);
  const online = () => ({ snapshot: listed('snapshot'), timestamp: listed('timestamp') });
  const publish = async (only?: readonly string[]) => {
    for (const { role, complete } of await editor.status()) {
      if (!complete && (!only || only.includes(role))) await editor.sign(role, listed(role));
    }
    await editor.publish(online(), only);
    repository.reload();
  };
  if (!repository.rootBytes()) await publish();
  const timestampFile = join(dir, 'metadata', 'timestamp.json');
  let seenMs = statSync(timestampFile).mtimeMs;
  let hear: (news: ExpiryNews) => void = () => undefined;
  let announced: AnnouncedExpiries = new Map();
  /** The last reported failure of a renewal, so that it is reported once. */
  let fault = '';
  const renew = async () => {
    await editor.renewPublished(listed);
    repository.reload();
    seenMs = (await stat(timestampFile)).mtimeMs;
  };
  const due = () => {
    const halfMs = (DEFAULT_EXPIRY.timestamp * DAY_MS) / 2;
    return repository
      .expiries()
      .some(({ role, expiresMs }) => role === 'timestamp' && expiresMs - now() <= halfMs);
  };
  const look = async (log: Logger) => {
    const { mtimeMs } = await stat(timestampFile);
    if (mtimeMs !== seenMs) {
      seenMs = mtimeMs;
      repository.reload();
      log.info({ releases: repository.list().length }, 'the release repository was published anew');
    }
    if (due() && listed('timestamp').length > 0) {
      try {
        await renew();
        fault = '';
      } catch (error) {
        if (reasonOf(error) !== fault) {
          log.warn({ reason: reasonOf(error) }, 'cannot renew the signatures of the release repository');
        }
        fault = reasonOf(error);
      }
    }
    const found = expiryNews(repository.expiries(), announced, now());
    announced = found.announced;
    for (const news of found.news) {
      log.warn({ ...news }, 'a signature of the release repository is about to expire; sign it again');
      hear(news);
    }
  };
  return {
    ...repository,
    renew,
    look,
    onExpiring: (listener) => {
      hear = listener;
      // What was found before there was a listener is announced now.
      announced = new Map();
    },
    tend: (log) => {
      let busy = false;
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        look(log)
          .catch((error: unknown) =>
            log.warn({ reason: reasonOf(error) }, 'cannot maintain the release repository'),
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
        const roles = new Set<string>();
        for (const [index, { image, custom }] of releases.entries()) {
          let file: string;
          if (Buffer.isBuffer(image)) {
            file = join(scratch, String(index));
            await writeFile(file, image);
          } else {
            file = image.file;
          }
          const { state: _, ...release } = await editor.add(file, custom);
          added.push(release);
          roles.add(await editor.roleFor(custom.software));
        }
        // Edits that wait for other signatures keep waiting.
        await publish([...roles]);
        return added;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}
