/**
 * Where the agent and its updater meet. The agent hears orders and carries reports; the updater downloads, verifies
 * and installs. Neither knows how the other does it.
 */
import type { Logger } from 'pino';
import type { Order, Structure, Verdict } from '../schemas/types.ts';
import type { Driver } from './driver.ts';
import type { UnnumberedReport } from './update-reports.ts';

export interface Updater {
  /**
   * The order that holds now, undefined when there is none. Called again with the same order after every connect
   * (the topic is retained), so taking the same (execution, attempt) twice must do nothing the second time.
   */
  onOrder(order: Order | undefined): void;
  /** Stops what can be stopped (a download), waits for what can't (an installation), keeps its journal. */
  stop(): Promise<void>;
}

/** What the agent provides to its updater. */
export interface UpdaterContext {
  /** The printer's id. */
  printer: string;
  /**
   * The driver. `restart()` of this one also begins a new session of the agent: the old connection ends, a new one
   * with a new session id reports the structure with reason `connect`. It resolves once the printer is up again,
   * not when the center heard of it.
   */
  driver: Driver;
  /**
   * Sends a report. Kept until the broker acknowledged it and sent again after a reconnect; of reports that wait in
   * the same state only the newest is kept (progress is not history).
   */
  report(report: UnnumberedReport): void;
  /** Ends the session and begins another without restarting the printer: the center only accepts proof from a new one. */
  newSession?(): Promise<void>;
  /** The structure may have changed: the agent reads it and sends it with reason `change`. */
  structureChanged(): void;
  /** The structure as it was last sent; undefined before the first one. */
  currentStructure(): Structure | undefined;
  /** The verdict the center gave last; undefined before the first one. */
  currentVerdict(): Verdict | undefined;
  /** Asks the center something over the agent's session, where the repository can't be reached over HTTP. */
  ask?(method: string, params: object): Promise<object>;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Folder for the updater's journal and partial downloads; undefined for an agent that keeps nothing on disk. */
  folder?: string;
  /** Runs `task` after `ms` milliseconds unless the returned function is called first. */
  after(ms: number, task: () => void): () => void;
  /** A number in [0, 1), seeded in simulations. */
  random(): number;
}

export type UpdaterFactory = (context: UpdaterContext) => Updater;
