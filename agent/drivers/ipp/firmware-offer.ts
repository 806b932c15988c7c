/**
 * What a printer offers through the IPP Firmware Update Extensions (PWG working draft, "fwupdate"), read from its
 * attributes. Pure. Such a printer fetches firmware from a repository in its own configuration; a client asks it to
 * check for firmware and to install it. No image crosses IPP.
 *
 * The draft is not a standard yet and its numbers have changed. The two operations are 0x006B and 0x006C in the draft
 * of July 2026; an older one had 0x0068 and 0x0069, which CUPS assigns to operations on encrypted jobs. So a number is
 * used only when the printer lists it among its operations and also lists the feature `fwupdate`.
 */
import type { IppAnswer } from '../../mapping/ipp-answer.ts';

/** Attributes that describe whether, from where and what; names of the draft of July 2026. */
export const FIRMWARE_ATTRIBUTES = [
  'operations-supported',
  'ipp-features-supported',
  'delay-update-until-supported',
  'printer-firmware-repository-uri-configured',
  'printer-new-firmware-name',
  'printer-new-firmware-string-version',
  'printer-new-firmware-version',
  'printer-new-firmware-patches',
  'printer-new-firmware-urgency',
];

/** Numbers of Check-For-New-Printer-Firmware and Update-Printer-Firmware, the newest draft's first. */
const OPERATION_PAIRS: [check: number, update: number][] = [
  [0x006b, 0x006c],
  [0x0068, 0x0069],
];
const FEATURE = 'fwupdate';

export interface FirmwareOperations {
  check: number;
  update: number;
  /** Whether it accepts `delay-update-until` = `no-delay`. */
  noDelay: boolean;
}

/** The operations that the printer supports, or a sentence about what it lacks. */
export function firmwareOperations(answer: IppAnswer): FirmwareOperations | string {
  if (!answer.texts('ipp-features-supported').includes(FEATURE)) {
    return 'it does not offer IPP Firmware Update (no "fwupdate" in ipp-features-supported)';
  }
  const operations = new Set(answer.texts('operations-supported').map(Number));
  const pair = OPERATION_PAIRS.find(([check, update]) => operations.has(check) && operations.has(update));
  if (!pair) return 'it names none of the operations of IPP Firmware Update in operations-supported';
  const [check, update] = pair;
  return { check, update, noDelay: answer.texts('delay-update-until-supported').includes('no-delay') };
}

/**
 * Whether the printer's own repository is allowed. Compares scheme, host and whole path segments:
 * `https://fw.example/a` allows `https://fw.example/a/b`, but neither `/ab` nor `https://fw.example.org/a`.
 */
export function isAllowedRepository(configured: string | undefined, allowed: readonly string[]): boolean {
  if (configured === undefined || !URL.canParse(configured)) return false;
  const found = new URL(configured);
  if (found.username !== '' || found.password !== '') return false;
  return allowed.some((each) => {
    if (!URL.canParse(each)) return false;
    const known = new URL(each);
    const path = known.pathname.endsWith('/') ? known.pathname : `${known.pathname}/`;
    return (
      known.protocol === found.protocol && known.host === found.host && `${found.pathname}/`.startsWith(path)
    );
  });
}

/** Phases of an update in `printer-state-reasons`, in order, each with the share of the whole at which it begins. */
const PHASES: [phase: string, share: number][] = [
  ['acquisition', 0.1],
  ['validation', 0.3],
  ['installation', 0.5],
  ['activation', 0.8],
  ['cleanup', 0.9],
  ['recovery', 0.9],
];

export interface UpdatePhase {
  /** The phase that runs now. */
  running?: string;
  share?: number;
  /** The phase that failed. */
  failed?: string;
}

/** The progress of an update, from its state reasons (`new-firmware-installation-in-progress`). */
export function phaseOf(reasons: readonly string[]): UpdatePhase {
  const plain = reasons.map((reason) => reason.replace(/-(?:report|warning|error)$/, ''));
  const failed = PHASES.find(([phase]) => plain.includes(`new-firmware-${phase}-failure`));
  const running = PHASES.findLast(([phase]) => plain.includes(`new-firmware-${phase}-in-progress`));
  return {
    ...(running === undefined ? {} : { running: running[0], share: running[1] }),
    ...(failed === undefined ? {} : { failed: failed[0] }),
  };
}

/** Why the printer can't check for firmware, from its state reasons; undefined when it can. */
export function repositoryTrouble(reasons: readonly string[]): string | undefined {
  const found = reasons.find((reason) => /^firmware-repository-(?:unreachable|access-error)/.test(reason));
  return found === undefined ? undefined : `it says ${found} of its firmware repository`;
}

/** The answer as it would be after installing the offer: offered names and versions replace the installed ones. */
export function offeredAnswer(answer: IppAnswer, empty: IppAnswer): IppAnswer {
  for (const [name, values] of answer.attributes) {
    if (!/^(?:printer|system)-firmware-(?:name|string-version|version|patches)$/.test(name)) {
      empty.attributes.set(name, values);
    }
  }
  for (const part of ['name', 'string-version', 'version', 'patches']) {
    const values = answer.values(`printer-new-firmware-${part}`).filter((value) => value !== null);
    if (values.length > 0) empty.attributes.set(`printer-firmware-${part}`, values);
  }
  return empty;
}
