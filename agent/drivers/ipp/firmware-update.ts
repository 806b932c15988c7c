/**
 * Installs by IPP Firmware Update (PWG working draft): asks the printer to check its repository, compares the offer
 * with the order, asks it to install, and follows its state reasons to the end. Off unless configured.
 *
 * The updater has verified the order against signed metadata before it calls anything here. The printer fetches the
 * bytes from its own repository, so that is checked too: it must be one that the configuration names.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PlatenError, reasonOf } from '../../../schemas/errors.ts';
import { parseSubject } from '../../../schemas/subject.ts';
import type { InstalledSoftware } from '../../../schemas/types.ts';
import type { DriverRefusal, Image, PrinterStructure } from '../../driver.ts';
import { IppAnswer } from '../../mapping/ipp-answer.ts';
import { ippReading } from '../../mapping/ipp-reading.ts';
import type { MappingTables } from '../../mapping/tables.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { ErrorAnswer, type Installer } from '../reader.ts';
import {
  type FirmwareOperations,
  firmwareOperations,
  isAllowedRepository,
  offeredAnswer,
  phaseOf,
  repositoryTrouble,
} from './firmware-offer.ts';

export interface FirmwareUpdateSettings {
  /** Repositories that a printer may fetch from. */
  repositories: string[];
  /** Poll interval during an update, ms. */
  pollMs?: number;
}

/** The requests that an IPP connection must support. */
export interface FirmwareRequests {
  readonly url: URL;
  /** The printer's current attributes. Rejects when it doesn't answer. */
  attributes(): Promise<IppAnswer>;
  operate(operation: number, keywords?: Record<string, string>): Promise<IppAnswer>;
}

const IN_PROGRESS = 0x050d;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Versions by software id, of the apparatus and all units; several units with one id have one version each. */
function versionsOf({ apparatus, units }: PrinterStructure): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { id, version } of [apparatus, ...units].flatMap(
    ({ software = [] }): InstalledSoftware[] => software,
  )) {
    if (version === undefined) continue;
    const versions = found.get(id) ?? new Set();
    found.set(id, versions.add(version));
  }
  return found;
}

export class FirmwareUpdate implements Installer {
  private readonly requests: FirmwareRequests;
  private readonly mapping: MappingTables;
  private readonly settings: FirmwareUpdateSettings;
  /** The result of the last full read. */
  private seen: IppAnswer | undefined;

  constructor(requests: FirmwareRequests, mapping: MappingTables, settings: FirmwareUpdateSettings) {
    this.requests = requests;
    this.mapping = mapping;
    this.settings = settings;
  }

  /** Keeps the last attributes, so that an order can be judged without a request. */
  note(answer: IppAnswer): void {
    this.seen = answer;
  }

  cannotInstall(subject: string): DriverRefusal | undefined {
    if (!this.seen)
      return { code: 'driver/read-only', message: `${subject}: the printer has not been read yet.` };
    const reason = this.reasonAgainst(this.seen);
    if (reason === undefined) return undefined;
    return {
      code: 'driver/read-only',
      message: `${subject} cannot be installed over IPP: ${reason}. A technician (or the maker's own tool) has to install it; the verdict names the version to bring.`,
    };
  }

  private reasonAgainst(answer: IppAnswer): string | undefined {
    const { protocol, hostname } = this.requests.url;
    if (protocol !== 'ipps:' && !LOOPBACK.test(hostname)) {
      return 'the request to update has to be encrypted, and the address is not ipps://';
    }
    const operations = firmwareOperations(answer);
    if (typeof operations === 'string') return operations;
    const repository = answer.text('printer-firmware-repository-uri-configured');
    if (isAllowedRepository(repository, this.settings.repositories)) return undefined;
    return repository === undefined
      ? 'it does not say from which repository it would fetch firmware'
      : `it would fetch firmware from ${repository}, which ipp.firmwareUpdate.repositories does not allow`;
  }

  private operationsOf(answer: IppAnswer, subjects: string): FirmwareOperations {
    const reason = this.reasonAgainst(answer);
    const operations = firmwareOperations(answer);
    if (reason !== undefined || typeof operations === 'string') {
      throw new PlatenError('update/cannot-install', {
        subject: subjects,
        reason: reason ?? String(operations),
      });
    }
    return operations;
  }

  async install(images: Image[], progress: (share: number) => void): Promise<void> {
    const wanted = new Map(
      images.map(({ step }) => [parseSubject(step.subject).software ?? step.subject, step.to]),
    );
    const subjects = images.map(({ step }) => step.subject).join(', ');
    const before = await this.requests.attributes();
    if (this.hasAll(before, wanted)) return;
    const operations = this.operationsOf(before, subjects);
    // After a power loss of the agent the printer may be in the middle of an update.
    if (phaseOf(before.texts('printer-state-reasons')).running === undefined) {
      const found = await this.look(operations, before);
      this.compare(found, wanted, subjects);
      await this.start(operations, subjects);
    }
    await this.follow(wanted, progress);
  }

  private hasAll(answer: IppAnswer, wanted: ReadonlyMap<string, string>): boolean {
    const installed = versionsOf(ippReading(answer, this.mapping).structure);
    return [...wanted].every(([id, to]) => {
      const versions = installed.get(id);
      return versions !== undefined && versions.size === 1 && versions.has(to);
    });
  }

  /** Asks the printer to check for new firmware and waits until it shows the result. */
  private async look({ check }: FirmwareOperations, before: IppAnswer): Promise<IppAnswer> {
    const { status } = await this.requests.operate(check);
    if (status >= 0x0400) throw refused('Check-For-New-Printer-Firmware', status);
    const offers = (answer: IppAnswer) =>
      answer.values('printer-new-firmware-string-version').some((v) => v !== null);
    const endMs = Date.now() + DRIVER_LIMITS.firmwareLookMs;
    let found = before;
    while (Date.now() < endMs) {
      found = await this.requests.attributes();
      const trouble = repositoryTrouble(found.texts('printer-state-reasons'));
      if (trouble !== undefined) throw new Error(trouble);
      if (offers(found)) return found;
      await sleep(this.pollMs);
    }
    throw new Error('the printer found no new firmware in its repository');
  }

  /** The printer installs everything it offers, so the offer must be exactly what was ordered. */
  private compare(found: IppAnswer, wanted: ReadonlyMap<string, string>, subjects: string): void {
    const offered = versionsOf(ippReading(offeredAnswer(found, new IppAnswer()), this.mapping).structure);
    const installed = versionsOf(ippReading(found, this.mapping).structure);
    for (const [id, to] of wanted) {
      const versions = [...(offered.get(id) ?? [])];
      if (versions.length === 1 && versions[0] === to) continue;
      const instead = versions.length === 0 ? 'nothing' : versions.join(', ');
      throw new PlatenError('update/cannot-install', {
        subject: subjects,
        reason: `the printer's repository offers ${instead} for ${id}, and ${to} was ordered`,
      });
    }
    for (const [id, versions] of offered) {
      const same = [...versions].every((version) => installed.get(id)?.has(version));
      if (wanted.has(id) || same) continue;
      throw new PlatenError('update/cannot-install', {
        subject: subjects,
        reason: `the printer would install ${id} ${[...versions].join(', ')} too, which nobody ordered`,
      });
    }
  }

  private async start({ update, noDelay }: FirmwareOperations, subjects: string): Promise<void> {
    const { status } = await this.requests.operate(
      update,
      noDelay ? { 'delay-update-until': 'no-delay' } : {},
    );
    if (status < 0x0400 || status === IN_PROGRESS) return;
    throw new PlatenError('update/cannot-install', {
      subject: subjects,
      reason: refused('Update-Printer-Firmware', status).message,
    });
  }

  /** Waits until the printer runs the ordered version. It may restart meanwhile and not answer. */
  private async follow(
    wanted: ReadonlyMap<string, string>,
    progress: (share: number) => void,
  ): Promise<void> {
    const endMs = Date.now() + DRIVER_LIMITS.firmwareInstallMs;
    let last = 'nothing was heard of it';
    while (Date.now() < endMs) {
      await sleep(this.pollMs);
      let answer: IppAnswer;
      try {
        answer = await this.requests.attributes();
      } catch (error) {
        last = reasonOf(error);
        continue;
      }
      const { running, share, failed } = phaseOf(answer.texts('printer-state-reasons'));
      if (failed !== undefined && running === undefined)
        throw new Error(`the printer's ${failed} of it failed`);
      if (share !== undefined) progress(share);
      if (running === undefined && this.hasAll(answer, wanted)) return;
      last = running === undefined ? 'it runs the old version' : `its ${running} is under way`;
    }
    throw new Error(`the printer did not come to run it in time: ${last}`);
  }

  /** The printer recovers from a failure on its own. This only checks the result; IPP can't roll back. */
  async rollback(images: Image[]): Promise<void> {
    const old = new Map(
      images.flatMap(({ step }) =>
        step.from === undefined ? [] : [[parseSubject(step.subject).software ?? '', step.from] as const],
      ),
    );
    if (this.hasAll(await this.requests.attributes(), old)) return;
    throw new ErrorAnswer('the printer does not run the version before, and IPP has no way to put it back');
  }

  private get pollMs(): number {
    return this.settings.pollMs ?? DRIVER_LIMITS.firmwarePollMs;
  }
}

function refused(operation: string, status: number): ErrorAnswer {
  return new ErrorAnswer(
    `the printer refuses ${operation} with IPP status 0x${status.toString(16).padStart(4, '0')}`,
    status,
  );
}
