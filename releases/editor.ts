/**
 * Edits a release repository. Every edit is staged beside the repository, signed there by whoever holds the keys
 * (on this machine or on another one that the staged file is carried to), and published in one step. What is not
 * signed by enough keys can't be published, so a client never sees half an edit.
 *
 * Threshold and key handling follow TUF 1.0: the next root is signed by the thresholds of both the old and the new.
 */
import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Key,
  Metadata,
  MetadataKind,
  MetaFile,
  type Root,
  Snapshot,
  type Targets,
  Timestamp,
} from '@tufjs/models';
import { writeWhole } from '../files/whole-file.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import type { SigningKey } from './keys.ts';
import { type AnyMetadata, type Loaded, loadMetadata, SPEC, serialize, sha256Of } from './repository.ts';
import { type ReleaseCustom, type ReleaseTarget, targetPath } from './targets.ts';

/** Whoever serves the repository reads it, and may be another user. */
const SERVED = { mode: 0o644 };

/** How long each role's signature holds, in days. */
export interface Expiry {
  root: number;
  targets: number;
  snapshot: number;
  timestamp: number;
}
export const DEFAULT_EXPIRY: Expiry = { root: 365, targets: 180, snapshot: 30, timestamp: 7 };

/** Who may sign for a role, and how many of them must. */
export interface RoleSpec {
  keys: readonly Key[];
  threshold: number;
}
export type TopRole = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** What a staged edit still lacks before it can be published. */
export interface StagedRole {
  role: string;
  version: number;
  signatures: number;
  threshold: number;
  /** Whether enough keys that may sign have signed. */
  complete: boolean;
}

interface RoleJson {
  keyids: string[];
  threshold: number;
}
interface RootJson {
  version: number;
  expires: string;
  keys: Record<string, unknown>;
  roles: Record<string, RoleJson>;
}
interface TargetsJson {
  version: number;
  expires: string;
  targets: Record<string, { length: number; hashes: Record<string, string>; custom: ReleaseCustom }>;
  delegations?: {
    keys: Record<string, unknown>;
    roles: (RoleJson & { name: string; terminating: boolean; paths: string[] })[];
  };
}
interface MetadataJson<T> {
  signed: T;
  signatures: { keyid: string; sig: string }[];
}

const VENDOR = /^[a-z0-9][a-z0-9-]{0,62}$/;
const TOP: ReadonlySet<string> = new Set(['root', 'targets', 'snapshot', 'timestamp']);

function expires(nowMs: number, days: number): string {
  return new Date(Math.floor(nowMs / 1000) * 1000 + days * 86_400_000).toISOString().replace('.000Z', 'Z');
}

function roleJson(name: string, spec: RoleSpec): RoleJson {
  const keyids = [...new Set(spec.keys.map((key) => key.keyID))];
  if (spec.threshold < 1 || keyids.length < spec.threshold) {
    throw new PlatenError('release/ceremony', {
      reason: `role ${name} has ${keyids.length} different keys and a threshold of ${spec.threshold}`,
    });
  }
  return { keyids, threshold: spec.threshold };
}

/** Edits the repository in `dir`; what is staged stands in `dir` + `-staged`. `now` is in milliseconds. */
export class RepositoryEditor {
  readonly dir: string;
  readonly staged: string;
  readonly #now: () => number;
  readonly #expiry: Expiry;

  constructor(dir: string, now: () => number, expiry: Expiry = DEFAULT_EXPIRY) {
    this.dir = dir;
    this.staged = `${dir.replace(/\/+$/, '')}-staged`;
    this.#now = now;
    this.#expiry = expiry;
  }

  #stagedFile(role: string): string {
    return join(this.staged, `${encodeURIComponent(role)}.json`);
  }

  async #readStaged<T>(role: string): Promise<MetadataJson<T> | undefined> {
    try {
      return JSON.parse(await readFile(this.#stagedFile(role), 'utf8')) as MetadataJson<T>;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new PlatenError('release/unreadable', { dir: this.staged, reason: reasonOf(error) });
    }
  }

  /** Stages what `edit` makes of a role: the version after the published one, and no signatures. */
  async #stage<T extends { version: number; expires: string }>(
    role: string,
    published: T,
    days: number,
    edit: (signed: T) => void,
  ): Promise<void> {
    const staged = await this.#readStaged<T>(role);
    const signed = structuredClone(staged?.signed ?? published);
    signed.version = published.version + 1;
    signed.expires = expires(this.#now(), days);
    edit(signed);
    await writeWhole(this.#stagedFile(role), JSON.stringify({ signed, signatures: [] }), SERVED);
  }

  #loaded(): Loaded {
    const loaded = loadMetadata(this.dir);
    if (!loaded) throw new PlatenError('release/no-repository', { dir: this.dir });
    return loaded;
  }

  /**
   * The root ceremony: stages the first root. Sign it with as many root keys as its threshold says, then publish.
   * @throws PlatenError release/ceremony when there is a repository already or a threshold can't be reached
   */
  async init(roles: Record<TopRole, RoleSpec>): Promise<void> {
    if (loadMetadata(this.dir)) {
      throw new PlatenError('release/ceremony', { reason: `there is a repository in ${this.dir} already` });
    }
    const keys: Record<string, unknown> = {};
    const named: Record<string, RoleJson> = {};
    for (const [name, spec] of Object.entries(roles)) {
      named[name] = roleJson(name, spec);
      for (const key of spec.keys) keys[key.keyID] = key.toJSON();
    }
    const signed = {
      _type: 'root',
      spec_version: SPEC,
      version: 1,
      expires: expires(this.#now(), this.#expiry.root),
      consistent_snapshot: true,
      keys,
      roles: named,
    };
    await writeWhole(this.#stagedFile('root'), JSON.stringify({ signed, signatures: [] }), SERVED);
    await this.#stage('targets', { ...emptyTargets(), version: 0 }, this.#expiry.targets, () => {});
  }

  /** Stages a root in which a role has other keys. Both the old and the new root keys must sign it. */
  async setRole(role: TopRole, spec: RoleSpec): Promise<void> {
    const root = this.#loaded().root.signed.toJSON() as unknown as RootJson;
    await this.#stage('root', root, this.#expiry.root, (signed) => {
      signed.roles[role] = roleJson(role, spec);
      for (const key of spec.keys) signed.keys[key.keyID] = key.toJSON();
      const used = new Set(Object.values(signed.roles).flatMap((each) => each.keyids));
      for (const id of Object.keys(signed.keys)) if (!used.has(id)) delete signed.keys[id];
    });
  }

  async #targets(): Promise<TargetsJson> {
    const loaded = loadMetadata(this.dir);
    if (loaded) return loaded.targets.signed.toJSON() as unknown as TargetsJson;
    // Before the first publish there is only a staged root.
    if (!(await this.#readStaged('root'))) throw new PlatenError('release/no-repository', { dir: this.dir });
    return { ...emptyTargets(), version: 0 };
  }

  /**
   * Stages a delegation: `vendor` may sign software whose id is `vendor` or begins with `vendor.`. Also how a
   * vendor's keys are replaced.
   */
  async setVendor(vendor: string, spec: RoleSpec): Promise<void> {
    if (!VENDOR.test(vendor) || TOP.has(vendor)) {
      throw new PlatenError('release/invalid', { reason: `"${vendor}" can't be a vendor's role name` });
    }
    const role = roleJson(vendor, spec);
    await this.#stage('targets', await this.#targets(), this.#expiry.targets, (signed) => {
      signed.delegations ??= { keys: {}, roles: [] };
      const { keys, roles } = signed.delegations;
      const entry = { ...role, name: vendor, terminating: true, paths: [`${vendor}.*/*`, `${vendor}/*`] };
      const at = roles.findIndex((each) => each.name === vendor);
      if (at < 0) roles.push(entry);
      else roles[at] = entry;
      for (const key of spec.keys) keys[key.keyID] = key.toJSON();
      const used = new Set(roles.flatMap((each) => each.keyids));
      for (const id of Object.keys(keys)) if (!used.has(id)) delete keys[id];
    });
  }

  /** The role that signs a software's releases: the vendor to whom its path is delegated, else `targets`. */
  async roleFor(software: string): Promise<string> {
    const targets = (await this.#readStaged<TargetsJson>('targets'))?.signed ?? (await this.#targets());
    const vendor = targets.delegations?.roles.find(
      ({ name }) => software === name || software.startsWith(`${name}.`),
    );
    return vendor?.name ?? 'targets';
  }

  async #role(role: string): Promise<TargetsJson> {
    if (role === 'targets') return this.#targets();
    const published = loadMetadata(this.dir)?.vendors.get(role);
    return published
      ? (published.signed.toJSON() as unknown as TargetsJson)
      : { ...emptyTargets(), version: 0 };
  }

  /**
   * Puts an image into the repository and stages its entry. The image is there before anything points at it.
   * A release is never changed: the same bytes again change nothing, other bytes are refused.
   * @throws PlatenError release/invalid, release/exists
   */
  async add(file: string, custom: ReleaseCustom): Promise<ReleaseTarget> {
    const target = targetPath(custom.software, custom.version);
    if (target === undefined) {
      throw new PlatenError('release/invalid', {
        reason: `"${custom.software}" ${custom.version} can't be a path`,
      });
    }
    const [{ size }, sha256] = [await stat(file), await sha256Of(file)];
    const role = await this.roleFor(custom.software);
    const published = await this.#role(role);
    const known =
      (await this.#readStaged<TargetsJson>(role))?.signed.targets[target] ?? published.targets[target];
    const entry = { length: size, hashes: { sha256 }, custom };
    if (known && known.hashes['sha256'] !== sha256) {
      throw new PlatenError('release/exists', { software: custom.software, version: custom.version });
    }
    const plain = join(this.dir, target);
    await mkdir(dirname(plain), { recursive: true });
    await copyFile(file, `${plain}.part`);
    await rm(plain, { force: true });
    await link(`${plain}.part`, plain);
    const hashed = join(dirname(plain), `${sha256}.${custom.version}.bin`);
    await rm(hashed, { force: true });
    await link(plain, hashed);
    await rm(`${plain}.part`);
    if (JSON.stringify(known) !== JSON.stringify(entry)) {
      await this.#stage(role, published, this.#expiry.targets, (signed) => {
        signed.targets[target] = entry;
      });
    }
    return { target, length: size, sha256, custom };
  }

  /**
   * Stages the withdrawal of a release: it stays listed, marked as revoked and why, so that an agent that is
   * offered it knows that this is no mistake.
   */
  async revoke(software: string, version: string, why: string): Promise<void> {
    const role = await this.roleFor(software);
    const published = await this.#role(role);
    const target = targetPath(software, version);
    if (target === undefined || !published.targets[target]) {
      throw new PlatenError('request/not-found', { kind: 'release', id: `${software} ${version}` });
    }
    await this.#stage(role, published, this.#expiry.targets, (signed) => {
      const entry = signed.targets[target];
      if (entry) entry.custom = { ...entry.custom, revoked: why };
    });
  }

  /** Stages a role unchanged, to be signed anew before it expires. */
  async renew(role: string): Promise<void> {
    if (role === 'root') {
      const root = this.#loaded().root.signed.toJSON() as unknown as RootJson;
      await this.#stage('root', root, this.#expiry.root, () => {});
    } else {
      await this.#stage(role, await this.#role(role), this.#expiry.targets, () => {});
    }
  }

  /** Adds signatures to a staged role. A key that may not sign it is refused. */
  async sign(role: string, keys: readonly SigningKey[]): Promise<StagedRole> {
    const staged = await this.#readStaged(role);
    if (!staged) throw new PlatenError('release/nothing-staged', { role });
    const metadata = parse(role, staged);
    const allowed = await this.#allowed(role);
    for (const key of keys) {
      if (!allowed.has(key.id))
        throw new PlatenError('release/wrong-key', { role, key: key.id.slice(0, 12) });
      metadata.sign((bytes) => key.sign(bytes));
    }
    await writeWhole(this.#stagedFile(role), serialize(metadata), SERVED);
    return this.#status(role, metadata);
  }

  /** Ids of the keys that may sign a role, by the staged state of its delegator and by the published one. */
  async #allowed(role: string): Promise<Set<string>> {
    const ids = new Set<string>();
    for (const delegator of await this.#delegators(role)) {
      const json = delegator.toJSON() as unknown as { signed: RootJson & TargetsJson };
      const named = TOP.has(role)
        ? json.signed.roles[role]
        : json.signed.delegations?.roles.find((each) => each.name === role);
      for (const id of named?.keyids ?? []) ids.add(id);
    }
    return ids;
  }

  /** Who vouches for a role: for a root, the new one and the one before; else the delegator as it will stand. */
  async #delegators(role: string): Promise<(Metadata<Root> | Metadata<Targets>)[]> {
    const loaded = loadMetadata(this.dir);
    const over = TOP.has(role) ? 'root' : 'targets';
    const staged = await this.#readStaged(over);
    const found: (Metadata<Root> | Metadata<Targets>)[] = [];
    if (staged) found.push(parse(over, staged) as Metadata<Root> | Metadata<Targets>);
    const published = over === 'root' ? loaded?.root : loaded?.targets;
    if (published && (role === 'root' || !staged)) found.push(published);
    return found;
  }

  async #status(role: string, metadata: AnyMetadata): Promise<StagedRole> {
    let threshold = 1;
    let complete = true;
    const delegators = await this.#delegators(role);
    for (const delegator of delegators) {
      const json = delegator.toJSON() as unknown as { signed: RootJson & TargetsJson };
      const named = TOP.has(role)
        ? json.signed.roles[role]
        : json.signed.delegations?.roles.find((each) => each.name === role);
      threshold = Math.max(threshold, named?.threshold ?? 1);
      try {
        delegator.verifyDelegate(role, metadata);
      } catch {
        // Not enough signatures yet: that is what `complete` says.
        complete = false;
      }
    }
    return {
      role,
      version: metadata.signed.version,
      signatures: Object.keys(metadata.signatures).length,
      threshold,
      complete: complete && delegators.length > 0,
    };
  }

  /** What is staged and what it lacks. */
  async status(): Promise<StagedRole[]> {
    let files: string[];
    try {
      files = await readdir(this.staged);
    } catch {
      return [];
    }
    const found: StagedRole[] = [];
    for (const file of files.filter((name) => name.endsWith('.json')).sort()) {
      const role = decodeURIComponent(file.slice(0, -5));
      const staged = await this.#readStaged(role);
      if (staged) found.push(await this.#status(role, parse(role, staged)));
    }
    return found;
  }

  /**
   * Publishes what is staged: versioned files first, then a new snapshot, then the timestamp in one step. With
   * nothing staged it renews snapshot and timestamp.
   * @param online keys for snapshot and timestamp, by role
   * @throws PlatenError release/unsigned, and nothing changes
   */
  async publish(
    online: Record<'snapshot' | 'timestamp', readonly SigningKey[]>,
  ): Promise<{ roles: string[] }> {
    const status = await this.status();
    const lacking = status.filter((each) => !each.complete);
    if (lacking.length > 0) {
      const reason = lacking
        .map((each) => `${each.role} (${each.signatures} of ${each.threshold})`)
        .join(', ');
      throw new PlatenError('release/unsigned', { reason });
    }
    const before = loadMetadata(this.dir);
    const metadata = join(this.dir, 'metadata');
    const meta: Record<string, MetaFile> = { ...before?.snapshot?.signed.meta };
    let root = before?.root;
    const published: { role: string; bytes: Buffer; version: number }[] = [];
    for (const { role } of status) {
      const staged = await this.#readStaged(role);
      if (!staged) continue;
      const parsed = parse(role, staged);
      const bytes = serialize(parsed);
      published.push({ role, bytes, version: parsed.signed.version });
      if (role === 'root') root = parsed as Metadata<Root>;
      else meta[`${role}.json`] = metaOf(parsed.signed.version, bytes);
    }
    if (!root) throw new PlatenError('release/no-repository', { dir: this.dir });
    if (!meta['targets.json'])
      throw new PlatenError('release/unsigned', { reason: 'targets (never signed)' });
    const nowMs = this.#now();
    const snapshot = new Metadata(
      new Snapshot({
        version: (before?.snapshot?.signed.version ?? 0) + 1,
        specVersion: SPEC,
        expires: expires(nowMs, this.#expiry.snapshot),
        meta,
      }),
    );
    for (const key of online.snapshot) snapshot.sign((bytes) => key.sign(bytes));
    const snapshotBytes = serialize(snapshot);
    const timestamp = new Metadata(
      new Timestamp({
        version: (before?.timestamp?.signed.version ?? 0) + 1,
        specVersion: SPEC,
        expires: expires(nowMs, this.#expiry.timestamp),
        snapshotMeta: metaOf(snapshot.signed.version, snapshotBytes),
      }),
    );
    for (const key of online.timestamp) timestamp.sign((bytes) => key.sign(bytes));
    for (const [role, each] of [
      ['snapshot', snapshot],
      ['timestamp', timestamp],
    ] as const) {
      try {
        root.verifyDelegate(role, each);
      } catch {
        throw new PlatenError('release/unsigned', { reason: `${role} (its keys are not root's)` });
      }
    }
    for (const { role, bytes, version } of published) {
      await writeWhole(join(metadata, `${version}.${encodeURIComponent(role)}.json`), bytes, SERVED);
    }
    await writeWhole(join(metadata, `${snapshot.signed.version}.snapshot.json`), snapshotBytes, SERVED);
    await writeWhole(join(metadata, 'timestamp.json'), serialize(timestamp), SERVED);
    for (const { role } of published) await rm(this.#stagedFile(role), { force: true });
    return { roles: published.map((each) => each.role) };
  }
}

/** Version, length and hash: with them nobody can put together what was not published together. */
function metaOf(version: number, bytes: Buffer): MetaFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return new MetaFile({ version, length: bytes.length, hashes: { sha256 } });
}

function emptyTargets(): Omit<TargetsJson, 'version'> & { _type: string; spec_version: string } {
  return { _type: 'targets', spec_version: SPEC, expires: '', targets: {} };
}

function parse(role: string, json: unknown): AnyMetadata {
  const kind = TOP.has(role) ? (role as MetadataKind) : MetadataKind.Targets;
  return Metadata.fromJSON(kind as MetadataKind.Targets, json as never);
}
