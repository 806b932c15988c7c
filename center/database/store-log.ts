/** What the store needs of a logger; pino's logger has it. */
export interface StoreLog {
  info(fields: object | string, message?: string): void;
  warn(fields: object | string, message?: string): void;
  error(fields: object | string, message?: string): void;
}
