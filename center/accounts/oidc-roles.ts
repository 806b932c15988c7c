/** Maps the claims of an OpenID provider to an account name and a role. Pure. */
import { PlatenError } from '../../schemas/errors.ts';
import { ROLES } from '../../schemas/roles.ts';
import type { OperatorRole } from './tokens.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** A claim value and the role it gives. */
export interface RoleRule {
  value: string;
  role: OperatorRole;
}

/** Matches everybody whom the provider admits. */
const ANYBODY = '*';
const NAME_CHARACTERS_MAX = 64;

/**
 * Parses rules such as `platen-admins=admin,staff=operator,*=viewer`.
 * @throws Error with the reason
 */
export function parseRoleRules(text: string): RoleRule[] {
  return text.split(',').map((part) => {
    const at = part.lastIndexOf('=');
    const value = part.slice(0, Math.max(at, 0)).trim();
    const named = part.slice(at + 1).trim();
    const role = ROLES.find((each) => each === named);
    if (at < 0 || value === '') throw new Error(`"${part.trim()}" is not VALUE=ROLE`);
    if (role === undefined || role === 'printer') {
      throw new Error(`"${named}" is none of the roles viewer, operator, admin`);
    }
    return { value, role };
  });
}

/** A claim by name or by path (`realm_access.roles`). */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let found: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Claims)[name];
  }
  return found;
}

/** Whether the claims contain anything at `path`. */
export function hasClaim(claims: Claims, path: string): boolean {
  return claimAt(claims, path) !== undefined;
}

/** The highest role that the claim gives; undefined when it gives none. */
export function roleOfClaims(
  claims: Claims,
  path: string,
  rules: readonly RoleRule[],
): OperatorRole | undefined {
  const claim = claimAt(claims, path);
  const values = Array.isArray(claim) ? claim : [claim];
  const given = rules
    .filter(({ value }) => value === ANYBODY || values.includes(value))
    .map(({ role }) => role)
    .sort((a, b) => ROLES.indexOf(b) - ROLES.indexOf(a));
  return given[0];
}

/**
 * The account name from the claim, reduced to the characters that names may have.
 * @throws PlatenError oidc/refused when the claim is missing or empty
 */
export function nameOfClaims(claims: Claims, path: string): string {
  const claim = claimAt(claims, path);
  const name = (typeof claim === 'string' ? claim : '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, NAME_CHARACTERS_MAX);
  if (name === '') throw new PlatenError('oidc/refused', { reason: `the claim "${path}" contains no name` });
  return name;
}
