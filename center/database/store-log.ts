/** The logger that the store needs; pino's fits. */
export interface StoreLog {
  info(fields: object | string, message?: string): void;
  warn(fields: object | string, message?: string): void;
  error(fields: object | string, message?: string): void;
}
