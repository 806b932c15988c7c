/**
 * Strips the types with swc, and makes each module look up built-in globals once. Jest runs modules in a VM context,
 * where each use of a global such as `Math` queries the context: a loop over a long text took 300 times as long as
 * outside.
 */
import swcJest from '@swc/jest';

/** Without those that fake timers replace: `Date`, `performance`, timers. */
const GLOBALS = ['Array', 'BigInt', 'Buffer', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Set', 'String'];
const VERSION = '1';

function withOwnGlobals(result) {
  const names = GLOBALS.filter(
    (name) =>
      new RegExp(`(?<![.\\w$])${name}(?![\\w$:])`).test(result.code) &&
      !new RegExp(`(?:import\\s[^;]*|class\\s+|function\\s+|(?:const|let|var)\\s+)\\b${name}\\b`).test(
        result.code,
      ),
  );
  if (names.length === 0) return result;
  // On the first line, so that line numbers don't change.
  return { ...result, code: `const {${names.join()}}=globalThis;${result.code}` };
}

export default {
  createTransformer(options) {
    const swc = swcJest.createTransformer(options);
    return {
      ...swc,
      process: (...args) => withOwnGlobals(swc.process(...args)),
      processAsync: async (...args) => withOwnGlobals(await (swc.processAsync ?? swc.process)(...args)),
      getCacheKey: (...args) => `${swc.getCacheKey(...args)}${VERSION}`,
    };
  },
};
