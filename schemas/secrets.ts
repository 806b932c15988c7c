/**
 * Secrets in parameters. A schema marks them with `"x-secret": true`. Requests are recorded (in the audit log) through
 * `recordable`, so that a secret never gets there, even under a mistyped name.
 */

/** The part of a JSON Schema that is read here. */
export interface SecretSchema {
  'x-secret'?: boolean;
  properties?: Record<string, SecretSchema>;
  items?: SecretSchema;
}

/** Replaces a secret in a record. */
export const SECRET_MARK = '[secret]';

/** Names that look like secrets, in objects whose properties no schema lists. */
const LOOKS_SECRET =
  /pass(word|phrase|wd)?$|secret|token$|credential|(auth|priv|private|api|access)[-_]?(key|code)$|^key$/i;

function free(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(free);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, LOOKS_SECRET.test(name) ? SECRET_MARK : free(one)]),
  );
}

/** `value` without secrets and without properties unknown to its schema. */
export function recordable(schema: SecretSchema | undefined, value: unknown): unknown {
  if (schema?.['x-secret'] === true) return SECRET_MARK;
  if (Array.isArray(value)) return value.map((one) => recordable(schema?.items, one));
  const known = schema?.properties;
  if (known === undefined) return free(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(known, name))
      .map(([name, one]) => [name, recordable(known[name], one)]),
  );
}

/** JSON paths (`/password`) of secrets in `value`. */
export function secretPaths(schema: SecretSchema | undefined, value: unknown, path = ''): string[] {
  if (schema?.['x-secret'] === true) return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => {
    const inner = Array.isArray(value)
      ? schema?.items
      : Object.hasOwn(schema?.properties ?? {}, name)
        ? schema?.properties?.[name]
        : undefined;
    return inner === undefined ? [] : secretPaths(inner, one, `${path}/${name}`);
  });
}
