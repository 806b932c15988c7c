/**
 * Edits a release repository. Every edit is staged beside the repository, signed there by the holders of the keys (on
 * this machine, or on another that the staged file is carried to), and published in one step. Without enough
 * signatures nothing is published, so a client never sees half an edit.
 *
 * Threshold and key handling follow TUF 1.0: the next root is signed by the thresholds of both the old and the new.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
import { withLock } from '../files/with-lock.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { placeImage, stageImage } from './images-staged.ts';
import type { SigningKey } from './keys.ts';
import { type AnyMetadata, type Loaded, loadMetadata, SPEC, serialize, sha256Of } from './repository.ts';
import { type ReleaseCustom, type ReleaseTarget, targetPath } from './targets.ts';

/** The server of the repository may be another user, who must be able to read it. */
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
/**
 * How long before its expiry an offline role is renewed, if its keys are here: before the first announcement. An edit
 * with signatures would have to be signed again afterwards, so it postpones the renewal.
 */
const RENEW_MS = 40 * 86_400_000;
const RENEW_SIGNED_MS = 7 * 86_400_000;

export type TopRole = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** What a staged edit needs before it can be published. */
export interface StagedRole {
  role: string;
  version: number;
  signatures: number;
  threshold: number;
  /** Whether there are enough valid signatures. */
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

type OnlineKeys = Record<'snapshot' | 'timestamp', readonly SigningKey[]>;

/** A role and its new content. */
interface RoleMetadata {
  role: string;
  metadata: AnyMetadata;
}

/** A release that was added, and whether that changed anything. */
export interface AddedRelease extends ReleaseTarget {
  state: 'staged' | 'staged already' | 'published already';
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

  /** Stages an edit of a role: the version after the published one, without signatures. */
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
  async add(file: string, custom: ReleaseCustom): Promise<AddedRelease> {
    const target = targetPath(custom.software, custom.version);
    if (target === undefined) {
      throw new PlatenError('release/invalid', {
        reason: `"${custom.software}" ${custom.version} can't be a path`,
      });
    }
    const [{ size }, sha256] = [await stat(file), await sha256Of(file)];
    const role = await this.roleFor(custom.software);
    const published = await this.#role(role);
    const staged = (await this.#readStaged<TargetsJson>(role))?.signed.targets[target];
    const known = staged ?? published.targets[target];
    const entry = { length: size, hashes: { sha256 }, custom };
    if (known && known.hashes['sha256'] !== sha256) {
      throw new PlatenError('release/exists', { software: custom.software, version: custom.version });
    }
    const release = { target, length: size, sha256, custom };
    // A lost image is put back if its entry is published; otherwise it waits beside the repository.
    if (published.targets[target]) await placeImage(this.dir, this.staged, target, release, file);
    else await stageImage(this.staged, target, file);
    if (JSON.stringify(known) === JSON.stringify(entry)) {
      return { ...release, state: staged ? 'staged already' : 'published already' };
    }
    await this.#stage(role, published, this.#expiry.targets, (signed) => {
      signed.targets[target] = entry;
    });
    return { ...release, state: 'staged' };
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

  /** Stages a role unchanged, to be signed again before it expires. */
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

  /** Who vouches for a role: for a root, the new and the previous one; otherwise the delegator as staged. */
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
        // Not enough signatures yet, which `complete` says.
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
   * Signs again what is published, and nothing else: snapshot and timestamp, and roles close to expiry if enough of
   * their keys are here. Staged edits keep waiting for signatures.
   * @param keysOf the keys of a role that are here
   * @throws PlatenError release/unsigned when the keys of snapshot or timestamp are not here
   */
  renewPublished(keysOf: (role: string) => readonly SigningKey[]): Promise<{ roles: string[] }> {
    return withLock(this.#lockFile, async () => {
      const loaded = this.#loaded();
      const renewed: RoleMetadata[] = [];
      const roles = [['root', loaded.root], ['targets', loaded.targets], ...loaded.vendors] as const;
      for (const [role, metadata] of roles) {
        const leftMs = Date.parse(metadata.signed.expires) - this.#now();
        const signed = ((await this.#readStaged(role))?.signatures.length ?? 0) > 0;
        if (leftMs > (signed ? RENEW_SIGNED_MS : RENEW_MS)) continue;
        const next = this.#signedAgain(role, metadata, loaded, keysOf(role));
        if (next) renewed.push({ role, metadata: next });
      }
      await this.#write(renewed, { snapshot: keysOf('snapshot'), timestamp: keysOf('timestamp') });
      for (const { role } of renewed) await this.#restamp(role);
      return { roles: renewed.map(({ role }) => role) };
    });
  }

  /** The next version of a published role, unchanged; undefined when not enough of its keys are here. */
  #signedAgain(
    role: string,
    metadata: AnyMetadata,
    loaded: Loaded,
    keys: readonly SigningKey[],
  ): AnyMetadata | undefined {
    if (keys.length === 0) return undefined;
    const { signed } = structuredClone(metadata.toJSON()) as unknown as MetadataJson<TargetsJson>;
    signed.version += 1;
    signed.expires = expires(this.#now(), role === 'root' ? this.#expiry.root : this.#expiry.targets);
    const next = parse(role, { signed, signatures: [] });
    const delegator = TOP.has(role) ? loaded.root : loaded.targets;
    for (const key of keys) next.sign((bytes) => key.sign(bytes));
    try {
      delegator.verifyDelegate(role, next);
      return next;
    } catch {
      // Too few keys, or wrong ones: somebody else has to sign, and is told.
      return undefined;
    }
  }

  /** Renumbers a staged edit after the published version: with its old number it could never be published. */
  async #restamp(role: string): Promise<void> {
    const staged = await this.#readStaged<TargetsJson>(role);
    const loaded = loadMetadata(this.dir);
    if (!staged || !loaded) return;
    const published =
      role === 'root' ? (loaded.root.signed.toJSON() as unknown as TargetsJson) : await this.#role(role);
    if (staged.signed.version > published.version) return;
    await this.#stage(
      role,
      published,
      role === 'root' ? this.#expiry.root : this.#expiry.targets,
      (signed) => {
        // Keeps what was published meanwhile: releases are never removed.
        if (role !== 'root') signed.targets = { ...published.targets, ...signed.targets };
      },
    );
  }

  /** Locked by the process that edits. */
  get #lockFile(): string {
    return join(this.staged, 'publishing');
  }

  /**
   * Publishes what is staged: versioned files first, then a new snapshot, then the timestamp in one step. With
   * nothing staged it renews snapshot and timestamp.
   * @param online keys for snapshot and timestamp, by role
   * @param only the roles to publish; default every one that is staged
   * @throws PlatenError release/unsigned, and nothing changes
   */
  publish(online: OnlineKeys, only?: readonly string[]): Promise<{ roles: string[] }> {
    return withLock(this.#lockFile, () => this.#publish(online, only));
  }

  async #publish(online: OnlineKeys, only?: readonly string[]): Promise<{ roles: string[] }> {
    for (const { role } of await this.status()) await this.#restamp(role);
    const status = (await this.status()).filter(({ role }) => !only || only.includes(role));
    const lacking = status.filter((each) => !each.complete);
    if (lacking.length > 0) {
      const reason = lacking
        .map((each) => `${each.role} (${each.signatures} of ${each.threshold})`)
        .join(', ');
      throw new PlatenError('release/unsigned', { reason });
    }
    const edits: RoleMetadata[] = [];
    for (const { role } of status) {
      const staged = await this.#readStaged(role);
      if (staged) edits.push({ role, metadata: parse(role, staged) });
    }
    await this.#write(edits, online);
    for (const { role } of edits) await rm(this.#stagedFile(role), { force: true });
    return { roles: edits.map(({ role }) => role) };
  }

  /** Writes signed roles with a new snapshot and timestamp; all become visible at once. */
  async #write(roles: readonly RoleMetadata[], online: OnlineKeys): Promise<void> {
    const before = loadMetadata(this.dir);
    const metadata = join(this.dir, 'metadata');
    const meta: Record<string, MetaFile> = { ...before?.snapshot?.signed.meta };
    let root = before?.root;
    const published: { role: string; bytes: Buffer; version: number }[] = [];
    for (const { role, metadata: signed } of roles) {
      const bytes = serialize(signed);
      published.push({ role, bytes, version: signed.signed.version });
      if (role === 'root') root = signed as Metadata<Root>;
      else meta[`${role}.json`] = metaOf(signed.signed.version, bytes);
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
    // Images first, so that no entry points at a missing one.
    for (const { role, metadata: signed } of roles) {
      if (role === 'root') continue;
      const { targets } = signed.signed.toJSON() as unknown as TargetsJson;
      const old = (role === 'targets' ? before?.targets : before?.vendors.get(role))?.signed.targets ?? {};
      for (const [target, { length, hashes }] of Object.entries(targets)) {
        if (old[target]) continue;
        await placeImage(this.dir, this.staged, target, { length, sha256: hashes['sha256'] ?? '' });
      }
    }
    for (const { role, bytes, version } of published) {
      await writeWhole(join(metadata, `${version}.${encodeURIComponent(role)}.json`), bytes, SERVED);
    }
    await writeWhole(join(metadata, `${snapshot.signed.version}.snapshot.json`), snapshotBytes, SERVED);
    await writeWhole(join(metadata, 'timestamp.json'), serialize(timestamp), SERVED);
  }
}

/** Version, length and hash: they prevent mixing files that were not published together. */
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
