/**
 * A real IPP printer: CUPS's ippeveprinter on a free loopback port, with its own D-Bus, without which it doesn't start.
 * If a test wants it announced by mDNS it also has an Avahi, on the loopback interface only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../harness/ports.ts';

/** One firmware component: name, string version, binary version. */
export type Firmware = [string, string, string];

export const BIZHUB_FIRMWARE: Firmware[] = [
  ['Controller', 'G00-K4', '0000004B'],
  ['Engine', 'G00-K2', '00000042'],
  ['Finisher FS-539', 'G00-15', '00000015'],
  ['ADF DF-714', 'G00-08', '00000008'],
];

/** Avahi on the loopback interface only, alongside any other mDNS responder on this machine. */
const AVAHI = `[server]
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
enable-dbus=yes
disallow-other-stacks=no
[wide-area]
enable-wide-area=no
[publish]
publish-workstation=no
`;

const list = (values: string[]) => values.map((value) => `"${value}"`).join(',');

/** ippeveprinter's attribute file (ippeveprinter(1), -a). */
function attributes(firmware: Firmware[], serial: string): string {
  return [
    `ATTR name printer-firmware-name ${list(firmware.map(([name]) => name))}`,
    `ATTR text printer-firmware-string-version ${list(firmware.map(([, version]) => version))}`,
    `ATTR text printer-firmware-patches ${list(firmware.map(() => ''))}`,
    `ATTR octetString printer-firmware-version ${list(firmware.map(([, , octets]) => octets))}`,
    `ATTR text printer-device-id "MFG:KONICA MINOLTA;MDL:bizhub C360i;SN:${serial};FWVER:G00-K4;CMD:PDF,PWG;"`,
    'ATTR text printer-make-and-model "KONICA MINOLTA bizhub C360i"',
    '',
  ].join('\n');
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  // It waits for its connections to end; a test doesn't.
  const timer = setTimeout(() => child.kill('SIGKILL'), 500);
  await once(child, 'exit');
  clearTimeout(timer);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_200; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not seen: ${what}`);
}

export interface IppPrinter {
  readonly port: number;
  readonly url: string;
  /** Prints a page, during which the engine reports these lines: `STATE: +media-jam`, `STATE: none`. */
  print(lines: string[]): Promise<void>;
  /** Sets levels on its web page: `supply1=5`, or `level0=0` of `media`. Only for a `plain` printer. */
  setLevels(page: 'supplies' | 'media', levels: Record<string, number>): Promise<void>;
  /** Restarts it on the same port with other firmware. */
  restart(firmware: Firmware[]): Promise<void>;
  /** Restarts it on another port with the same serial number. */
  move(): Promise<void>;
  stop(): Promise<void>;
}

interface IppLibrary {
  Printer(url: string): {
    execute(operation: string, message: object, done: (error: Error | null, answer: unknown) => void): void;
  };
}

export async function startIppPrinter(
  options: {
    firmware?: Firmware[];
    serial?: string;
    port?: number;
    announcedAs?: string;
    /** Without an attribute file: its own supplies and trays, which its web page sets, and no firmware. */
    plain?: boolean;
  } = {},
): Promise<IppPrinter> {
  const { serial = 'A9KEKM0001234', announcedAs } = options;
  const folder = mkdtempSync(join(tmpdir(), 'platen-ippeve-'));
  mkdirSync(join(folder, 'spool'));
  mkdirSync(join(folder, 'keys'));
  const socket = join(folder, 'dbus.sock');
  writeFileSync(
    join(folder, 'dbus.conf'),
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`,
  );
  const env = {
    ...process.env,
    PRINTER_DIR: folder,
    DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${socket}`,
    PATH: `${process.env['PATH']}:/usr/sbin`,
  };
  const dbus = spawn(
    'dbus-daemon',
    [`--config-file=${join(folder, 'dbus.conf')}`, '--nofork', '--nopidfile'],
    {
      stdio: 'ignore',
      env,
    },
  );
  await until('the D-Bus socket', () => existsSync(socket));
  let avahi: ChildProcess | undefined;
  if (announcedAs !== undefined) {
    writeFileSync(join(folder, 'avahi.conf'), AVAHI);
    const log = openSync(join(folder, 'avahi.log'), 'w');
    avahi = spawn(
      'avahi-daemon',
      ['-f', join(folder, 'avahi.conf'), '--no-drop-root', '--no-chroot', '--no-rlimits'],
      { stdio: ['ignore', log, log], env },
    );
    closeSync(log);
    await until('Avahi', () => readFileSync(join(folder, 'avahi.log'), 'utf8').includes('startup complete'));
  }
  let port = options.port ?? (await freePort());
  let url = `ipp://localhost:${port}/ipp/print`;
  const command = fileURLToPath(new URL('print-command.sh', import.meta.url));
  const library = createRequire(import.meta.url)('@sealsystems/ipp') as IppLibrary;
  const execute = (operation: string, message: object) =>
    new Promise<unknown>((resolve, reject) => {
      library
        .Printer(url.replace('ipp:', 'http:'))
        .execute(operation, message, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  let printer: ChildProcess | undefined;
  const start = async (firmware: Firmware[]) => {
    writeFileSync(join(folder, 'attributes'), attributes(firmware, serial));
    const args = [
      ...(announcedAs === undefined ? ['-r', 'off'] : []),
      '-p',
      String(port),
      '-n',
      'localhost',
      '-d',
      join(folder, 'spool'),
      '-k',
      '-K',
      join(folder, 'keys'),
    ];
    printer = spawn(
      'ippeveprinter',
      [
        ...args,
        ...(options.plain ? ['-M', 'Acme', '-m', 'P7'] : ['-a', join(folder, 'attributes')]),
        ...['-c', command, announcedAs ?? 'Test Printer'],
      ],
      {
        stdio: 'ignore',
        env,
      },
    );
    await until('an answer from ippeveprinter', () =>
      execute('Get-Printer-Attributes', {
        'operation-attributes-tag': { 'requested-attributes': ['printer-state'] },
      }).then(
        () => true,
        () => false,
      ),
    );
  };
  await start(options.firmware ?? BIZHUB_FIRMWARE);
  return {
    get port() {
      return port;
    },
    get url() {
      return url;
    },
    print: async (lines) => {
      writeFileSync(join(folder, 'reasons'), `${lines.join('\n')}\n`);
      await until('a job that is taken', async () => {
        const { statusCode } = (await execute('Print-Job', {
          'operation-attributes-tag': {
            'requesting-user-name': 'test',
            'job-name': 'page',
            'document-format': 'image/pwg-raster',
          },
          data: Buffer.from('a page'),
        })) as { statusCode: string };
        // It prints one page at a time.
        if (statusCode === 'server-error-busy') return false;
        if (!statusCode.startsWith('successful')) throw new Error(`the job was refused: ${statusCode}`);
        return true;
      });
    },
    setLevels: async (page, levels) => {
      const query = Object.entries(levels).map(([name, level]) => `${name}=${level}`);
      const { status } = await fetch(`http://localhost:${port}/${page}?${query.join('&')}`);
      if (status !== 200) throw new Error(`the web page answers ${status}`);
    },
    restart: async (firmware) => {
      await end(printer);
      await start(firmware);
    },
    move: async () => {
      await end(printer);
      port = await freePort();
      url = `ipp://localhost:${port}/ipp/print`;
      await start(options.firmware ?? BIZHUB_FIRMWARE);
    },
    stop: async () => {
      await end(printer);
      await end(avahi);
      await end(dbus);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
