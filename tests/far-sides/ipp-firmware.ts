/**
 * Our own printer with IPP Firmware Update as in the PWG's working draft, because no real program implements it yet. It
 * speaks IPP in raw bytes, downloads nothing, and advances through the draft's phases by one per poll.
 */
import { type IppServer, message, number, startIppServer, TAG, wire, wires } from './ipp-server.ts';

/** Names and versions, in order. */
export type Firmware = [name: string, version: string][];

export interface FirmwarePrinter {
  readonly url: string;
  /** Operations received, except reads of attributes, with their bodies. */
  readonly asked: { operation: number; body: string }[];
  /** The installed firmware. */
  installed: Firmware;
  /** The firmware in its repository. */
  repository: Firmware;
  repositoryUri: string | undefined;
  /** Its feature and operation numbers; by default those of the newest draft. */
  features: string[];
  operations: number[];
  /** The phase that fails, after which it keeps the installed firmware. */
  failsAt: string | undefined;
  /** Status of its response to Update-Printer-Firmware. */
  refusal: number;
  stop(): Promise<void>;
}

const GET_ATTRIBUTES = 0x0b;
const GET_SYSTEM_ATTRIBUTES = 0x5b;
const PHASES = ['acquisition', 'validation', 'installation', 'activation', 'cleanup'];

export async function startFirmwarePrinter(installed: Firmware, make = 'Acme'): Promise<FirmwarePrinter> {
  let offered: Firmware = [];
  let phase: number | undefined;
  let failed: string | undefined;
  let silent = 0;

  const reasons = () => {
    const told = offered.length > 0 ? ['new-firmware-available-report'] : [];
    if (phase !== undefined) told.push(`new-firmware-${PHASES[phase]}-in-progress-report`);
    if (failed !== undefined) told.push(`new-firmware-${failed}-failure-error`);
    return told.length === 0 ? ['none'] : told;
  };

  /** Each poll advances its work by one phase. */
  const step = () => {
    if (phase === undefined) return;
    if (PHASES[phase] === printer.failsAt) {
      failed = printer.failsAt;
      phase = undefined;
      return;
    }
    if (PHASES[phase] === 'activation') silent = 2;
    phase++;
    if (phase < PHASES.length) return;
    phase = undefined;
    const versions = new Map([...printer.installed, ...offered]);
    printer.installed = [...versions];
    offered = [];
  };

  const attributes = () => [
    wire(TAG.text, 'printer-make-and-model', `${make} FW7`),
    wire(TAG.text, 'printer-device-id', `MFG:${make};MDL:FW7;SN:FW7-0001;`),
    wire(TAG.enum, 'printer-state', number(3)),
    wires(TAG.keyword, 'printer-state-reasons', reasons()),
    wires(TAG.enum, 'operations-supported', [GET_ATTRIBUTES, ...printer.operations].map(number)),
    ...(printer.features.length === 0
      ? []
      : [wires(TAG.keyword, 'ipp-features-supported', printer.features)]),
    wires(TAG.keyword, 'delay-update-until-supported', ['no-delay', 'indefinite']),
    ...(printer.repositoryUri === undefined
      ? []
      : [wire(TAG.uri, 'printer-firmware-repository-uri-configured', printer.repositoryUri)]),
    wires(
      TAG.name,
      'printer-firmware-name',
      printer.installed.map(([name]) => name),
    ),
    wires(
      TAG.text,
      'printer-firmware-string-version',
      printer.installed.map(([, version]) => version),
    ),
    ...(offered.length === 0
      ? []
      : [
          wires(
            TAG.name,
            'printer-new-firmware-name',
            offered.map(([name]) => name),
          ),
          wires(
            TAG.text,
            'printer-new-firmware-string-version',
            offered.map(([, version]) => version),
          ),
          wire(TAG.keyword, 'printer-new-firmware-urgency', 'security'),
        ]),
  ];

  const server: IppServer = await startIppServer((_path, response, body) => {
    const operation = body.readUInt16BE(2);
    if (operation === GET_ATTRIBUTES) {
      if (silent > 0) {
        silent--;
        response.destroy();
        return;
      }
      response.end(message(...attributes()));
      step();
      return;
    }
    const status = (code: number) => {
      const answer = message();
      answer.writeUInt16BE(code, 2);
      response.end(answer);
    };
    if (operation === GET_SYSTEM_ATTRIBUTES) {
      status(0x0501); // It has no System Service.
      return;
    }
    printer.asked.push({ operation, body: body.toString('latin1') });
    if (operation === printer.operations[0]) {
      const runs = new Map(printer.installed);
      offered = printer.repository.filter(([name, version]) => runs.get(name) !== version);
      status(0);
    } else if (operation === printer.operations[1]) {
      if (printer.refusal === 0) {
        failed = undefined;
        phase = 0;
      }
      status(printer.refusal);
    } else status(0x0501);
  });

  const printer: FirmwarePrinter = {
    url: `${server.url}/ipp/print`,
    asked: [],
    installed,
    repository: installed,
    repositoryUri: 'https://firmware.acme.example/fw7/',
    features: ['ipp-everywhere', 'fwupdate'],
    operations: [0x006b, 0x006c],
    failsAt: undefined,
    refusal: 0,
    stop: () => server.stop(),
  };
  return printer;
}
