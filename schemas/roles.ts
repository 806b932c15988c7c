/**
 * Roles, and the request methods that each may call: the table "Who may do what" of the wire contract.
 */
export const ROLES = ['printer', 'viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const READ = 'viewer';
const RUN = 'operator';
const OWN = 'admin';

/** Every request method with the lowest role that may call it. */
export const METHOD_ROLES = {
  'fleet.summary': READ,
  'printers.list': READ,
  'printers.facets': READ,
  'configurations.list': READ,
  'printers.get': READ,
  'printers.errors': READ,
  'printers.timeline': READ,
  'printers.orders': READ,
  'printers.structures': READ,
  'printers.whatif': READ,
  'printers.enroll': OWN,
  'printers.revoke': OWN,
  'printers.remove': OWN,
  'printers.label': RUN,
  'printers.readmit': RUN,
  'printers.retire': RUN,
  'structure.request': RUN,
  'errors.request': RUN,
  'readings.request': RUN,
  'reports.firmware': READ,
  'reports.inventory': READ,
  'reports.pages': READ,
  'reports.supplies': READ,
  'policy.set': RUN,
  'catalog.get': READ,
  'catalog.put': OWN,
  'catalog.impact': READ,
  'rules.get': READ,
  'rules.put': OWN,
  'troubles.list': READ,
  'troubles.ack': RUN,
  'troubles.assign': RUN,
  'troubles.close': RUN,
  'troubles.snooze': RUN,
  'releases.list': READ,
  'releases.release': RUN,
  'rollout.get': READ,
  'rollout.set': OWN,
  'campaigns.preview': READ,
  'campaigns.create': RUN,
  'campaigns.pause': RUN,
  'campaigns.resume': RUN,
  'campaigns.abort': RUN,
  'campaigns.get': READ,
  'campaigns.list': READ,
  'campaigns.targets': READ,
  'campaigns.excluded': READ,
  'campaigns.series': READ,
  'campaigns.retry': RUN,
  'audit.list': READ,
  'tokens.create': READ,
  'tokens.list': READ,
  'tokens.revoke': READ,
  'users.list': OWN,
  'users.put': OWN,
  'users.remove': OWN,
} as const satisfies Record<string, Role>;

export type Method = keyof typeof METHOD_ROLES;

/** Whether `name` is a request method. */
export function isMethod(name: string): name is Method {
  return Object.hasOwn(METHOD_ROLES, name);
}

/** Whether `role` may call `method`. */
export function mayCall(role: Role, method: Method): boolean {
  return role !== 'printer' && ROLES.indexOf(role) >= ROLES.indexOf(METHOD_ROLES[method]);
}
