/**
 * A repository whose keys all lie on this machine: for trying things out, for tests and for the demonstration fleet.
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
  /** Signs anew what is published: snapshot, timestamp, and what comes near its end, as far as its keys are here. */
  renew(): Promise<void>;
  /**
   * Looks after it once: sees what others published, renews what would expire as far as the keys for it are here, and
   * tells what comes near its end all the same.
   */
  look(log: Logger): Promise<void>;
  /** Looks after it until the returned function is called. */
  tend(log: Logger): () => void;
  /** Who hears what comes near its end: 30 days, 7 days and a day before, and when it has come. */
  onExpiring(listener: (news: ExpiryNews) => void): void;
}

/** How often the folder is looked at for what others published. */
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
  /** What was said of a renewal that failed, so that it is said once. */
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
          log.warn({ reason: reasonOf(error) }, 'the signatures of the release repository were not renewed');
        }
        fault = reasonOf(error);
      }
    }
    const found = expiryNews(repository.expiries(), announced, now());
    announced = found.announced;
    for (const news of found.news) {
      log.warn({ ...news }, 'a signature of the release repository comes to its end; sign it anew');
      hear(news);
    }
  };
  return {
    ...repository,
    renew,
    look,
    onExpiring: (listener) => {
      hear = listener;
      // What was found before somebody listened is announced now.
      announced = new Map();
    },
    tend: (log) => {
      let busy = false;
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        look(log)
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
        // What waits for somebody else's signature goes on waiting.
        await publish([...roles]);
        return added;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}
