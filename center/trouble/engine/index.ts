/** The trouble engine: rules compiled, entries judged. Pure; `troubles.ts` stores and announces what it concludes. */
export { type Compilation, type CompiledRules, compileRules, compileStoredRules } from './compile.ts';
export { contextOf, type InRange, type PrinterContext, type StructureLike } from './context.ts';
export type { Diagnostic } from './diagnostics.ts';
export { type EngineOptions, type TroubleChange, TroubleEngine, type TroubleView } from './engine.ts';
export { formatTime, parseTime } from './time.ts';
