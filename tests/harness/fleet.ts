/** A few simulated printers with the real agent, by name. */
import type { SimulatedPrinterSpec } from '../../agent/drivers/simulated/model.ts';
import type { UpdateReport } from '../../schemas/types.ts';
import type { Machine, Setting } from './setting.ts';

/** A printer of the story catalog: its model, controller, engine and their software. */
export function apparatusOf(
  model: string,
  controller: string,
  engine: string,
  engineSoftware: string | undefined,
  { hardware = '1.1' }: { hardware?: string } = {},
): SimulatedPrinterSpec {
  const mono = model === 'M210';
  return {
    structure: {
      apparatus: {
        model,
        serial: 'A-1',
        hardware: '2.0',
        software: [
          mono
            ? { id: 'zeta.mono', vendor: 'zeta', version: controller }
            : { id: 'acme.controller', vendor: 'acme', version: controller },
        ],
      },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: engine,
          serial: 'E-1',
          hardware,
          software:
            engineSoftware === undefined
              ? []
              : [{ id: 'acme.engine', vendor: 'acme', version: engineSoftware }],
        },
        ...(model === 'C360'
          ? [
              {
                symbol: 'finisher.1',
                kind: 'finisher',
                model: 'FS-539',
                serial: 'F-1',
                hardware: '1',
                software: [],
              },
            ]
          : []),
      ],
    },
    pages: 1_000,
    install: { takesMs: 200, restartMs: 100, selfTestMs: 50 },
  };
}

export class Fleet {
  readonly #setting: Setting;
  readonly #machines = new Map<string, Machine>();

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** Adds a printer and waits until it is judged. */
  async add(id: string, spec: SimulatedPrinterSpec): Promise<void> {
    const machine = await this.#setting.machine(id, { spec, seed: this.#machines.size + 1 });
    this.#machines.set(id, machine);
    await machine.hear('verdict');
  }

  machine(id: string): Machine {
    const machine = this.#machines.get(id);
    if (!machine) throw new Error(`there is no printer ${id}`);
    return machine;
  }

  /** The version that is really installed, whatever the printer reports. */
  version(id: string, subject: string): string | undefined {
    return this.machine(id).driver.model.version(subject);
  }

  /** Its update reports. */
  reports(id: string): UpdateReport[] {
    return this.machine(id).heard<UpdateReport>('update');
  }
}

/** Starts printers and waits until all of them are judged. */
export async function fleetOf(setting: Setting, specs: Record<string, SimulatedPrinterSpec>): Promise<Fleet> {
  const fleet = new Fleet(setting);
  await Promise.all(Object.entries(specs).map(([id, spec]) => fleet.add(id, spec)));
  return fleet;
}
