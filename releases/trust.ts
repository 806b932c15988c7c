/**
 * Verifies orders on the agent's side. It trusts only metadata signed by a threshold of the repository's keys (TUF 1.0,
 * with tuf-js as the client), and only orders that agree with it. An attacker who controls the center, the broker or
 * the repository's host can withhold software, but can't make a printer install what its vendor did not sign for it.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fetcher, type TargetFile, Updater as TufClient } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import type { PrinterStructure } from '../agent/driver.ts';
import { METADATA_BYTES_MAX, METADATA_FETCH_MS_MAX, ROOT_ROTATIONS_MAX } from '../agent/updater/limits.ts';
import type { Trust } from '../agent/updater/updater.ts';
import { Serial } from '../base/serial.ts';
import { compileCatalog } from '../compatibility/compile.ts';
import { judge } from '../compatibility/judge.ts';
import { inRange, schemeOf } from '../compatibility/versions.ts';
import { readWholeJson, writeWholeSync } from '../files/whole-file.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { type ImageStep, isImageStep, isSwitch } from '../schemas/order-steps.ts';
import { parseSubject, softwareOf } from '../schemas/subject.ts';
import type { Order, OrderStep, Release, SoftwareProduct } from '../schemas/types.ts';
import type { ReleaseCustom } from './targets.ts';

export interface TrustOptions {
  /** The root that the printer was provisioned with: its bytes, or a file. */
  root: Buffer | { file: string };
  /** Folder for the newest trusted metadata, against rollback; undefined: kept only while the process lives. */
  folder?: string;
}

/** The repository did not answer; worth another try. */
class Unreachable extends Error {}
class TooLong extends Error {}
/** tuf-js detects the end of the chain of roots by this error class, which its index does not export. */
class NotThere extends DownloadHTTPError {
  constructor(message: string) {
    super(message, 404);
  }
}

/** Fetches metadata into memory, within limits of size and time. */
function fetcher(signal: AbortSignal, fetchBy: typeof fetch): Fetcher {
  const downloadBytes = async (url: string, maxLength: number): Promise<Buffer> => {
    let response: Response;
    try {
      response = await fetchBy(url, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(METADATA_FETCH_MS_MAX)]),
      });
    } catch (error) {
      throw new Unreachable(`${new URL(url).pathname}: ${reasonOf(error)}`);
    }
    if (response.status === 404 || response.status === 403) {
      await response.body?.cancel();
      throw new NotThere(`${new URL(url).pathname} is not there`);
    }
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel();
      throw new Unreachable(`${new URL(url).pathname}: the repository answered ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    const reader = response.body.getReader();
    for (;;) {
      let part: Awaited<ReturnType<typeof reader.read>>;
      try {
        part = await reader.read();
      } catch (error) {
        throw new Unreachable(`${new URL(url).pathname}: ${reasonOf(error)}`);
      }
      if (part.done) return Buffer.concat(chunks);
      length += part.value.length;
      if (length > Math.min(maxLength, METADATA_BYTES_MAX)) {
        await reader.cancel();
        throw new TooLong(`${new URL(url).pathname} has more than ${maxLength} bytes`);
      }
      chunks.push(part.value);
    }
  };
  return {
    downloadBytes,
    downloadFile: () => {
      throw new Error('images are downloaded by download.ts');
    },
  };
}

/**
 * Runs tuf-js and translates its errors to our codes. It wraps most errors in a RuntimeError whose text ends with the
 * original's (updater.js, loadSnapshot and loadTargets). So errors of the fetcher are recorded where they occur, and
 * the others are recognised by the messages of @tufjs/models 4 and tuf-js 5; a test covers each of them.
 */
async function inOurWords<T>(
  work: (fetch: Fetcher) => Promise<T>,
  signal: AbortSignal,
  fetchBy: typeof fetch,
): Promise<T> {
  let seen: unknown;
  const plain = fetcher(signal, fetchBy);
  const remembering: Fetcher = {
    ...plain,
    downloadBytes: async (url, maxLength) => {
      try {
        return await plain.downloadBytes(url, maxLength);
      } catch (error) {
        if (!(error instanceof NotThere && /\.root\.json/.test(url))) seen = error;
        throw error;
      }
    },
  };
  try {
    return await work(remembering);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof PlatenError) throw error;
    const reason = reasonOf(error);
    if (seen instanceof TooLong) throw new PlatenError('update/trust-endless', { reason: seen.message });
    if (seen instanceof Unreachable) {
      throw new PlatenError('update/unreachable', { target: 'the release metadata', reason: seen.message });
    }
    if (seen instanceof NotThere) throw new PlatenError('update/trust-mixed', { reason: seen.message });
    if (/was signed by|signature/.test(reason)) throw new PlatenError('update/trust-unsigned', { reason });
    if (/expired/i.test(reason)) throw new PlatenError('update/trust-expired', { reason });
    if (/less than current version|Missing file .* in new snapshot|Expected version/.test(reason)) {
      throw new PlatenError('update/trust-rollback', { reason });
    }
    if (
      /does not match snapshot version|doesn't match timestamp|Expected hash|Expected length|in snapshot/.test(
        reason,
      )
    ) {
      throw new PlatenError('update/trust-mixed', { reason });
    }
    throw new PlatenError('update/trust-unreadable', { reason });
  }
}

function customOf(file: TargetFile): ReleaseCustom {
  return file.custom as unknown as ReleaseCustom;
}

/** Whether a step agrees with its signed target. */
function checkStep(step: ImageStep, file: TargetFile | undefined): ReleaseCustom {
  const { target, subject, to } = step;
  if (!file) throw new PlatenError('update/untrusted-target', { target });
  if (file.length !== step.length) {
    throw new PlatenError('update/target-differs', {
      target,
      reason: `${step.length} bytes, signed are ${file.length}`,
    });
  }
  if (file.hashes['sha256'] !== step.sha256) {
    throw new PlatenError('update/target-differs', { target, reason: 'another SHA-256' });
  }
  const custom = customOf(file);
  const software = softwareOf(subject);
  if (custom.software !== software || custom.version !== to) {
    throw new PlatenError('update/wrong-software', {
      target,
      actual: `${custom.software} ${custom.version}`,
      expected: `${software} ${to}`,
    });
  }
  if (custom.revoked !== undefined) {
    throw new PlatenError('update/revoked', { target, reason: custom.revoked });
  }
  return custom;
}

/** Whether the signed metadata allows the step from the installed version to this release. */
function checkWay(custom: ReleaseCustom, from: string | undefined): void {
  const { software, version: to } = custom;
  const scheme = schemeOf(custom.scheme ?? 'semver', custom.order ?? []);
  const target = scheme.parse(to);
  const current = from === undefined ? undefined : scheme.parse(from);
  const refuse = (reason: string) => {
    throw new PlatenError('update/no-way', { software, from: from ?? 'an unknown version', to, reason });
  };
  if (!target || !current) {
    if (custom.from !== undefined) refuse(`only from ${custom.from}`);
    return;
  }
  const order = scheme.compare(target, current);
  if (order > 0 && custom.from !== undefined && !inRange(scheme, scheme.range(custom.from), current)) {
    refuse(`only from ${custom.from}`);
  }
  if (order < 0) {
    if (custom.downgradeFrom === undefined) refuse('it may not be gone back to');
    else if (!inRange(scheme, scheme.range(custom.downgradeFrom), current)) {
      refuse(`back only from ${custom.downgradeFrom}`);
    }
  }
}

/**
 * A catalog of the signed metadata of installed and ordered software. Installed software without signed metadata is
 * included as reported, so that requirements can be checked against it.
 */
function signedCatalog(
  signed: Iterable<ReleaseCustom>,
  structure: PrinterStructure,
): ReturnType<typeof compileCatalog>['catalog'] {
  const customs = [...signed];
  for (const part of [structure.apparatus, ...structure.units]) {
    for (const { id, vendor, version } of part.software ?? []) {
      if (version === undefined) continue;
      if (customs.some((each) => each.software === id && each.version === version)) continue;
      const like = customs.find((each) => each.software === id);
      // A version in no signed list is unknown; adding it to the list would give it a place in the order.
      if (like?.scheme === 'listed') continue;
      customs.push({
        software: id,
        version,
        vendor: like?.vendor ?? vendor,
        scheme: like?.scheme,
        on: like?.on,
      });
    }
  }
  const products = new Map<string, SoftwareProduct>();
  for (const custom of customs) {
    const { software, version, vendor, scheme, on, from, downgradeFrom, fixes, requires, conflicts } = custom;
    const release: Release = { version, from, downgradeFrom, fixes, requires, conflicts };
    const product = products.get(software);
    if (product) product.releases.push(release);
    else products.set(software, { id: software, vendor, scheme, on, releases: [release] });
  }
  for (const product of products.values()) {
    if (product.scheme === 'listed') product.releases = inListedOrder(product, customs);
  }
  return compileCatalog({ catalog: 'signed', software: [...products.values()] }).catalog;
}

/** The releases of a product in the order of its longest signed list, because later lists only append. */
function inListedOrder({ id, releases }: SoftwareProduct, customs: readonly ReleaseCustom[]): Release[] {
  const order = customs
    .filter(({ software }) => software === id)
    .map((custom) => custom.order ?? [])
    .reduce((longest, each) => (each.length > longest.length ? each : longest), []);
  return order.flatMap((version) => releases.filter((release) => release.version === version));
}

function setVersion(structure: PrinterStructure, subject: string, version: string): void {
  const { symbol, software } = parseSubject(subject);
  for (const part of [structure.apparatus, ...structure.units]) {
    if (('symbol' in part ? part.symbol : 'apparatus') !== symbol) continue;
    for (const installed of part.software ?? []) if (installed.id === software) installed.version = version;
  }
}

function switchUnits(structure: PrinterStructure, { subject, to }: OrderStep): void {
  for (const unit of structure.units) {
    if (unit.symbol === subject) unit.state = 'spare';
    if (unit.symbol === to) unit.state = 'active';
  }
}

/**
 * Judges the order by the signed requirements alone. At the end no rule may be broken, and between steps no rule that
 * the printer needs to start, unless it was broken before.
 */
function judgeSigned(order: Order, structure: PrinterStructure, customs: Map<string, ReleaseCustom>): void {
  const catalog = signedCatalog(customs.values(), structure);
  const start = judge(catalog, structure);
  const before = new Set([...start.findings, ...start.unknown].map((finding) => finding.rule));
  const next = structuredClone(structure);
  for (const [index, step] of order.steps.entries()) {
    if (isSwitch(step)) switchUnits(next, step);
    else setVersion(next, step.subject, step.to);
    const together = step.together !== undefined && order.steps[index + 1]?.together === step.together;
    if (together) continue;
    const last = index === order.steps.length - 1;
    const { findings, unknown } = judge(catalog, next);
    // Unknown at the end does not count as compatible.
    const broken = [...findings, ...(last ? unknown : [])].find(
      (finding) => (last || finding.severity === 'boot') && !before.has(finding.rule),
    );
    if (broken) throw new PlatenError('update/incompatible', { reason: broken.message || broken.rule });
  }
}

/** The version of each subject from which each step starts. */
function* stepsWithCurrent(
  order: Order,
  structure: PrinterStructure,
): Generator<[OrderStep, string | undefined]> {
  const versions = new Map<string, string | undefined>();
  for (const part of [structure.apparatus, ...structure.units]) {
    const symbol = 'symbol' in part ? part.symbol : 'apparatus';
    for (const { id, version } of part.software ?? []) versions.set(`${symbol}:${id}`, version);
  }
  for (const step of order.steps) {
    yield [step, versions.get(step.subject)];
    versions.set(step.subject, step.to);
  }
}

let shared: Map<string, string> | undefined;

/** A temporary folder for each root, for the lifetime of the process: for agents without storage. */
function passingFolder(root: Buffer): string {
  if (!shared) {
    shared = new Map();
    process.once('exit', () => {
      for (const folder of shared?.values() ?? []) rmSync(folder, { recursive: true, force: true });
    });
  }
  const key = root.toString('base64');
  let folder = shared.get(key);
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'platen-trust-'));
    shared.set(key, folder);
  }
  return folder;
}

/** For a printer without a root: it can't verify software, so it refuses all. */
export const trustNobody: Trust = () => Promise.reject(new PlatenError('update/no-root'));

/** Checks orders against signed metadata. */
export function tufTrust(options: TrustOptions): Trust {
  const root = Buffer.isBuffer(options.root) ? options.root : readFileSync(options.root.file);
  // Concurrent refreshes would write the same files.
  const serial = new Serial();
  return (order, structure, signal, fetchBy) => {
    const folder = options.folder ?? passingFolder(root);
    return serial.run(() => check(root, folder, order, structure, signal, fetchBy ?? fetch));
  };
}

/**
 * Starts with the provisioned root; later roots replace it. If the file is damaged, it starts over: the chain from the
 * first root to the latest is signed, so nothing becomes trusted that was not trusted before.
 */
function keepRoot(file: string, root: Buffer): void {
  try {
    if (readWholeJson(file, '') !== undefined) return;
  } catch (error) {
    if (!(error instanceof PlatenError) || error.code !== 'file/damaged') throw error;
  }
  writeWholeSync(file, root, { mode: 0o644 });
}

async function check(
  root: Buffer,
  folder: string,
  order: Order,
  structure: PrinterStructure,
  signal: AbortSignal,
  fetchBy: typeof fetch,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  keepRoot(join(folder, 'root.json'), root);
  const customs = new Map<string, ReleaseCustom>();
  const work = async (fetch: Fetcher) => {
    const client = new TufClient({
      metadataDir: folder,
      metadataBaseUrl: new URL('metadata', order.repository).href,
      fetcher: fetch,
      config: { maxRootRotations: ROOT_ROTATIONS_MAX },
    });
    await client.refresh();
    const files = new Map<string, TargetFile | undefined>();
    const wanted = order.steps.filter(isImageStep).map((step) => step.target);
    for (const part of [structure.apparatus, ...structure.units]) {
      for (const { id, version } of part.software ?? []) {
        if (version !== undefined) wanted.push(`${id}/${version}.bin`);
      }
    }
    for (const target of wanted) {
      if (!files.has(target)) files.set(target, await client.getTargetInfo(target));
    }
    for (const [target, file] of files) if (file) customs.set(target, customOf(file));
    for (const [step, current] of stepsWithCurrent(order, structure)) {
      // Switching to a spare unit installs no software.
      if (isImageStep(step)) checkWay(checkStep(step, files.get(step.target)), current);
    }
  };
  await inOurWords(work, signal, fetchBy);
  judgeSigned(order, structure, customs);
}
