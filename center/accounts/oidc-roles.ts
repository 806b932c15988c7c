/** What the claims of an OpenID provider mean here: a name and a role. Pure. */
import { PlatenError } from '../../schemas/errors.ts';
import { ROLES } from '../../schemas/roles.ts';
import type { OperatorRole } from './tokens.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** A value of the claim, and the role that it gives. */
export interface RoleRule {
  value: string;
  role: OperatorRole;
}

/** Stands for whoever the provider lets in. */
const ANYBODY = '*';
const NAME_CHARACTERS_MAX = 64;

/**
 * Reads rules such as `platen-admins=admin,staff=operator,*=viewer`.
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

/** A claim by its name, or by the path to it (`realm_access.roles`). */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let found: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Claims)[name];
  }
  return found;
}

/** Whether the claims say anything of what `path` names. */
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
 * The name of somebody's account: what the claim says, in characters that names here may have.
 * @throws PlatenError oidc/refused when the claim says nothing of the kind
 */
export function nameOfClaims(claims: Claims, path: string): string {
  const claim = claimAt(claims, path);
  const name = (typeof claim === 'string' ? claim : '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, NAME_CHARACTERS_MAX);
  if (name === '') throw new PlatenError('oidc/refused', { reason: `the claim "${path}" holds no name` });
  return name;
}
