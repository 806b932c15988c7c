/**
 * Compatibility: what goes together, what is wrong, what would be right, and how to get there.
 * Pure: no I/O, no clock. Semantics: docs/reference/compatibility.md.
 */
export { attainable, choose } from './choose.ts';
export { compileCatalog } from './compile.ts';
export { IMPACT_EXAMPLES_MAX, Impact, type ImpactResult, impact } from './impact.ts';
export { judge } from './judge.ts';
export { Memo } from './memo.ts';
export { checkOptions } from './options.ts';
export { configurationOf, signatureOf } from './signature.ts';
export type { CompiledCatalog } from './tables.ts';
export type * from './types.ts';
