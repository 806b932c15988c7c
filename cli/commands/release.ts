import { readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { writeWhole } from '../../files/whole-file.ts';
import { disagreements, disagreementText } from '../../releases/agreement.ts';
import { RepositoryEditor, type RoleSpec, type TopRole } from '../../releases/editor.ts';
import {
  generateKeyPem,
  publicKeyOf,
  publicPem,
  readKeyPem,
  type SigningKey,
  signingKey,
} from '../../releases/keys.ts';
import { openRepository } from '../../releases/repository.ts';
import { customOf, type ReleaseCustom } from '../../releases/targets.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Catalog } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import { print, printJson } from '../terminal.ts';

interface Where {
  repository: string;
  keys: string;
  json?: boolean;
}

function answer(json: boolean | undefined, value: unknown, text: string): void {
  if (json) printJson(value);
  else print(text);
}

const collect = (value: string, before: string[]) => [...before, value];

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 32) {
    throw new PlatenError('setting/invalid', {
      name,
      reason: `"${text}" is not 1 to 32`,
      hint: 'For example 2.',
    });
  }
  return value;
}

function load(source: string): SigningKey {
  return signingKey(readKeyPem(source, process.env), source);
}

function specOf(sources: readonly string[], threshold: number): RoleSpec {
  return { keys: sources.map((each) => publicKeyOf(readKeyPem(each, process.env), each)), threshold };
}

/** Generates a key; an existing one is never overwritten. */
async function newKey(file: string): Promise<string> {
  try {
    await writeWhole(file, generateKeyPem(), { exclusive: true });
  } catch (error) {
    throw new PlatenError('release/ceremony', { reason: reasonOf(error) });
  }
  return file;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PlatenError('release/invalid', { reason: `${file}: ${reasonOf(error)}` });
  }
}

function readCatalog(file: string): Catalog {
  return checkSchema('catalog', readJson(file));
}

/** Keys of a role: the given ones, else the one in the key folder. */
function keysFor(where: Where, role: string, named: readonly string[]): SigningKey[] {
  const sources = named.length > 0 ? named : [join(where.keys, `${role}.pem`)];
  return sources.map(load);
}

async function showStatus(editor: RepositoryEditor, json: boolean | undefined): Promise<void> {
  const staged = await editor.status();
  const text = staged.map(
    ({ role, version, signatures, threshold, complete }) =>
      `${role} version ${version}: ${signatures} of ${threshold} signatures${complete ? '' : ', not enough'}`,
  );
  answer(json, staged, text.join('\n') || 'nothing is staged');
}

interface InitFlags {
  rootKeys: string;
  rootThreshold: string;
  rootPublic: string[];
}

async function init(where: Where, flags: InitFlags): Promise<void> {
  const editor = new RepositoryEditor(where.repository, Date.now);
  const threshold = count('--root-threshold', flags.rootThreshold);
  const people = flags.rootPublic.length || count('--root-keys', flags.rootKeys);
  // Checked before any key is generated, so that a refused ceremony leaves nothing behind.
  if (threshold > people) {
    throw new PlatenError('release/ceremony', {
      reason: `${people} root keys can't reach a threshold of ${threshold}`,
    });
  }
  if (openRepository(where.repository).rootBytes()) {
    throw new PlatenError('release/ceremony', {
      reason: `there is a repository in ${where.repository} already`,
    });
  }
  await mkdir(where.keys, { recursive: true, mode: 0o700 });
  const root = [...flags.rootPublic];
  const own: string[] = [];
  if (root.length === 0) {
    for (let at = 1; at <= people; at++) {
      own.push(await newKey(join(where.keys, `root-${at}.pem`)));
    }
    root.push(...own);
  }
  const one = async (role: TopRole) => specOf([await newKey(join(where.keys, `${role}.pem`))], 1);
  await editor.init({
    root: specOf(root, threshold),
    targets: await one('targets'),
    snapshot: await one('snapshot'),
    timestamp: await one('timestamp'),
  });
  if (own.length > 0) await editor.sign('root', own.map(load));
  await editor.sign('targets', keysFor(where, 'targets', []));
  if ((await editor.status()).every((role) => role.complete)) await publish(where, editor, [], []);
  else await showStatus(editor, where.json);
}

async function publish(
  where: Where,
  editor: RepositoryEditor,
  snapshot: readonly string[],
  timestamp: readonly string[],
): Promise<void> {
  const done = await editor.publish({
    snapshot: keysFor(where, 'snapshot', snapshot),
    timestamp: keysFor(where, 'timestamp', timestamp),
  });
  answer(where.json, done, `published: ${[...done.roles, 'snapshot', 'timestamp'].join(', ')}`);
}

/** The outcome of adding a release, as a message. */
const WORDS = {
  staged: 'staged',
  'staged already': 'already staged:',
  'published already': 'already published with these bytes:',
} as const;

interface AddFlags {
  catalog?: string;
  custom?: string;
}

async function add(
  where: Where,
  file: string,
  software: string,
  version: string,
  flags: AddFlags,
): Promise<void> {
  let custom: ReleaseCustom = { software, version };
  if (flags.catalog !== undefined) {
    const product = readCatalog(flags.catalog).software?.find((each) => each.id === software);
    const release = product?.releases.find((each) => each.version === version);
    if (!product || !release) {
      throw new PlatenError('release/invalid', { reason: `${flags.catalog} has no ${software} ${version}` });
    }
    custom = customOf(product, release);
  } else if (flags.custom !== undefined) {
    custom = { ...(readJson(flags.custom) as ReleaseCustom), software, version };
  }
  const editor = new RepositoryEditor(where.repository, Date.now);
  const release = await editor.add(file, custom);
  const role = await editor.roleFor(software);
  answer(
    where.json,
    { ...release, role },
    `${WORDS[release.state]} ${release.target} (${release.length} bytes, SHA-256 ${release.sha256})${release.state === 'published already' ? ', nothing to do' : `; to be signed by ${role}`}`,
  );
}

/** `platen release`: creates, signs and publishes releases. Works offline, on files alone. */
export function command(): Command {
  const release = new Command('release').description('make, sign and publish releases (TUF), offline');
  const data = process.env['PLATEN_DATA'] ?? '.platen';
  const sub = (name: string, description: string) =>
    release
      .command(name)
      .description(description)
      .option('--repository <folder>', 'the release repository', join(data, 'repository'))
      .option('--keys <folder>', 'folder of keys, named by role', join(data, 'keys'))
      .option('--json', 'one line of JSON');
  const editorOf = (where: Where) => new RepositoryEditor(where.repository, Date.now);
  const keyHelp = 'PKCS#8 PEM file, or env:NAME; repeatable';

  sub('init', 'hold the root ceremony: keys, thresholds, first metadata')
    .option('--root-keys <n>', 'number of root keys to generate', '1')
    .option('--root-threshold <n>', 'how many of them must sign', '1')
    .option('--root-public <key>', 'public PEM of a root key held elsewhere; repeatable', collect, [])
    .action((flags: Where & InitFlags) => init(flags, flags));

  sub('key <file>', 'make a signing key; prints its public half').action(
    async (file: string, flags: Where) => {
      await newKey(file);
      const pem = await readFile(file, 'utf8');
      answer(flags.json, { id: signingKey(pem, file).id, public: publicPem(pem) }, publicPem(pem).trimEnd());
    },
  );

  sub('vendor <name>', "let a vendor sign its own software's releases, or replace its keys")
    .requiredOption('--public <key>', 'public PEM of a key of the vendor; repeatable', collect, [])
    .option('--threshold <n>', 'how many of them must sign', '1')
    .action(async (name: string, flags: Where & { public: string[]; threshold: string }) => {
      const editor = editorOf(flags);
      await editor.setVendor(name, specOf(flags.public, count('--threshold', flags.threshold)));
      await editor.renew(name);
      await showStatus(editor, flags.json);
    });

  sub('add <image> <software> <version>', 'put an image into the repository and stage its entry')
    .option('--catalog <file>', 'read its requirements from this catalog')
    .option('--custom <file>', 'or from this JSON file')
    .action((image: string, software: string, version: string, flags: Where & AddFlags) =>
      add(flags, image, software, version, flags),
    );

  sub('revoke <software> <version>', 'stage the withdrawal of a release: agents refuse it from then on')
    .requiredOption('--because <text>', 'why')
    .action(async (software: string, version: string, flags: Where & { because: string }) => {
      const editor = editorOf(flags);
      await editor.revoke(software, version, flags.because);
      await showStatus(editor, flags.json);
    });

  sub('rotate-key <role>', 'stage a root in which a role (root, targets, snapshot, timestamp) has other keys')
    .requiredOption('--public <key>', 'public PEM of a new key; repeatable', collect, [])
    .option('--threshold <n>', 'how many of them must sign', '1')
    .action(async (role: string, flags: Where & { public: string[]; threshold: string }) => {
      if (!['root', 'targets', 'snapshot', 'timestamp'].includes(role)) {
        throw new PlatenError('release/invalid', {
          reason: `"${role}" is not a role of root; see release vendor`,
        });
      }
      const editor = editorOf(flags);
      await editor.setRole(role as TopRole, specOf(flags.public, count('--threshold', flags.threshold)));
      // What the role has signed so far is signed again with its new keys.
      if (role === 'targets') await editor.renew('targets');
      await showStatus(editor, flags.json);
    });

  sub('renew <role>', 'stage a role unchanged, to be signed before it expires').action(
    async (role: string, flags: Where) => {
      const editor = editorOf(flags);
      await editor.renew(role);
      await showStatus(editor, flags.json);
    },
  );

  sub('sign <role>', 'sign what is staged for a role')
    .option('--key <key>', keyHelp, collect, [])
    .action(async (role: string, flags: Where & { key: string[] }) => {
      const status = await editorOf(flags).sign(role, keysFor(flags, role, flags.key));
      answer(
        flags.json,
        status,
        `${role}: ${status.signatures} of ${status.threshold} signatures${status.complete ? ', enough' : ''}`,
      );
    });

  sub('publish', 'publish what is staged and signed; renews snapshot and timestamp')
    .option('--snapshot-key <key>', keyHelp, collect, [])
    .option('--timestamp-key <key>', keyHelp, collect, [])
    .action((flags: Where & { snapshotKey: string[]; timestampKey: string[] }) =>
      publish(flags, editorOf(flags), flags.snapshotKey, flags.timestampKey),
    );

  sub('status', 'what is staged, and which signatures are missing').action((flags: Where) =>
    showStatus(editorOf(flags), flags.json),
  );

  sub('list', 'list published releases').action((flags: Where) => {
    const releases = openRepository(flags.repository).list();
    const line = (each: (typeof releases)[number]) =>
      `${each.target} ${each.length} ${each.sha256}${each.custom.revoked === undefined ? '' : ` revoked: ${each.custom.revoked}`}`;
    answer(flags.json, releases, releases.map(line).join('\n') || 'there are no releases');
  });

  sub('check', 'check that a catalog agrees with the signed releases; exit 1 when not')
    .requiredOption('--catalog <file>', 'the catalog')
    .action((flags: Where & { catalog: string }) => {
      const found = disagreements(readCatalog(flags.catalog), openRepository(flags.repository).list());
      answer(flags.json, found, found.map(disagreementText).join('\n') || 'they agree');
      if (found.some((each) => each.field !== 'missing')) process.exitCode = 1;
    });

  return release;
}
