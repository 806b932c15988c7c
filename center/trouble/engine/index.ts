/** The trouble engine: compiles rules and judges entries. Pure; `troubles.ts` stores and announces the outcome. */
export { type Compilation, type CompiledRules, compileRules, compileStoredRules } from './compile.ts';
export { contextOf, type InRange, type PrinterContext, type StructureLike } from './context.ts';
export type { Diagnostic } from './diagnostics.ts';
export { type EngineOptions, type TroubleChange, TroubleEngine, type TroubleView } from './engine.ts';
export { formatTime, parseTime } from './time.ts';
