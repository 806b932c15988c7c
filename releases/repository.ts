/**
 * A TUF repository (specification 1.0) as a folder of static files, with consistent snapshots:
 *
 *   metadata/1.root.json … N.snapshot.json, N.targets.json, N.<vendor>.json, timestamp.json
 *   acme.engine/2.5.0.bin and acme.engine/<sha256>.2.5.0.bin (one file, two names)
 *
 * Targets are delegated: one role per vendor, for that vendor's software ids. Changes are written as new versioned
 * files first and become visible when `timestamp.json` is replaced atomically.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type TargetFile,
  Targets,
  type Timestamp,
} from '@tufjs/models';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import type { RoleExpiry } from './expiry.ts';
import { type ReleaseCustom, type ReleaseTarget, targetPath } from './targets.ts';

/** The version of the TUF specification that the metadata names. */
export const SPEC = '1.0.31';

export type AnyMetadata = Metadata<Root> | Metadata<Timestamp> | Metadata<Snapshot> | Metadata<Targets>;

function versionsOf(dir: string, role: string): number[] {
  const name = encodeURIComponent(role).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^(\\d+)\\.${name}\\.json$`);
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .map((file) => Number(pattern.exec(file)?.[1] ?? 0))
    .filter((version) => version > 0)
    .sort((a, b) => a - b);
}

function readJson(file: string): never {
  return JSON.parse(readFileSync(file, 'utf8')) as never;
}

export function serialize(metadata: AnyMetadata): Buffer {
  return Buffer.from(JSON.stringify(metadata.toJSON()));
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** The published repository, as clients see it. */
export interface Repository {
  readonly dir: string;
  /** The newest trusted root as bytes, for provisioning agents. Undefined before the ceremony. */
  rootBytes(): Buffer | undefined;
  target(software: string, version: string): ReleaseTarget | undefined;
  list(): ReleaseTarget[];
  /** The expiry of each role's signature, earliest first; empty before the ceremony. */
  expiries(): RoleExpiry[];
  /** Reads the metadata again after a publication. */
  reload(): void;
  /** Calls the listener after every `reload`. */
  onReloaded(listener: () => void): void;
}

/** All metadata of a repository. */
export interface Loaded {
  root: Metadata<Root>;
  targets: Metadata<Targets>;
  vendors: Map<string, Metadata<Targets>>;
  snapshot?: Metadata<Snapshot>;
  timestamp?: Metadata<Timestamp>;
}

/**
 * Reads the newest metadata of every role.
 * @returns undefined when there is no repository in the folder
 * @throws PlatenError release/unreadable
 */
export function loadMetadata(dir: string): Loaded | undefined {
  const metadata = join(dir, 'metadata');
  const rootVersion = versionsOf(metadata, 'root').at(-1);
  if (rootVersion === undefined) return undefined;
  try {
    const root = Metadata.fromJSON(MetadataKind.Root, readJson(join(metadata, `${rootVersion}.root.json`)));
    const timestampFile = join(metadata, 'timestamp.json');
    const timestamp = existsSync(timestampFile)
      ? Metadata.fromJSON(MetadataKind.Timestamp, readJson(timestampFile))
      : undefined;
    // The timestamp determines what is published, not the newest file in the folder.
    const snapshot = timestamp
      ? Metadata.fromJSON(
          MetadataKind.Snapshot,
          readJson(join(metadata, `${timestamp.signed.snapshotMeta.version}.snapshot.json`)),
        )
      : undefined;
    const versionFor = (role: string) => snapshot?.signed.meta[`${role}.json`]?.version;
    const load = (role: string) => {
      const version = versionFor(role);
      return version === undefined
        ? undefined
        : Metadata.fromJSON(
            MetadataKind.Targets,
            readJson(join(metadata, `${version}.${encodeURIComponent(role)}.json`)),
          );
    };
    const targets =
      load('targets') ??
      new Metadata(new Targets({ version: 0, specVersion: SPEC, expires: root.signed.expires, targets: {} }));
    const vendors = new Map<string, Metadata<Targets>>();
    for (const vendor of Object.keys(targets.signed.delegations?.roles ?? {})) {
      const loaded = load(vendor);
      if (loaded) vendors.set(vendor, loaded);
    }
    return { root, targets, vendors, snapshot, timestamp };
  } catch (error) {
    throw new PlatenError('release/unreadable', { dir, reason: reasonOf(error) });
  }
}

function asRelease(path: string, file: TargetFile): ReleaseTarget | undefined {
  const custom = file.custom as unknown as ReleaseCustom;
  const sha256 = file.hashes['sha256'];
  if (typeof custom?.software !== 'string' || typeof custom.version !== 'string' || sha256 === undefined) {
    return undefined;
  }
  return { target: path, length: file.length, sha256, custom };
}

/** The expiry of every published role, earliest first. */
function expiriesOf(loaded: Loaded): RoleExpiry[] {
  const roles = [
    ['root', loaded.root],
    ['targets', loaded.targets],
    ['snapshot', loaded.snapshot],
    ['timestamp', loaded.timestamp],
    ...loaded.vendors,
  ] as const;
  return roles
    .flatMap(([role, metadata]) =>
      metadata
        ? [{ role, version: metadata.signed.version, expiresMs: Date.parse(metadata.signed.expires) }]
        : [],
    )
    .sort((a, b) => a.expiresMs - b.expiresMs);
}

/** Opens the repository in a folder for reading; the folder may still be empty. */
export function openRepository(dir: string): Repository {
  mkdirSync(dir, { recursive: true });
  let loaded: Loaded | undefined;
  let releases = new Map<string, ReleaseTarget>();
  const listeners: (() => void)[] = [];
  const reload = () => {
    loaded = loadMetadata(dir);
    releases = new Map();
    if (!loaded) return;
    for (const role of [loaded.targets, ...loaded.vendors.values()]) {
      for (const [path, file] of Object.entries(role.signed.targets)) {
        const release = asRelease(path, file);
        if (release && !releases.has(path)) releases.set(path, release);
      }
    }
    for (const listener of listeners) listener();
  };
  reload();
  return {
    dir,
    rootBytes: () => (loaded ? serialize(loaded.root) : undefined),
    target: (software, version) => {
      const path = targetPath(software, version);
      return path === undefined ? undefined : releases.get(path);
    },
    list: () => [...releases.values()],
    expiries: () => (loaded ? expiriesOf(loaded) : []),
    reload,
    onReloaded: (listener) => void listeners.push(listener),
  };
}
