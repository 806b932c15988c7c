/**
 * Loads the project's TypeScript as `setup.mjs` compiled it: `node --import` this file, where tests start a program.
 * tsx does the same and takes half a second of each start for it. A file of which nothing is compiled is left to Node,
 * which refuses it.
 */
import { register } from 'node:module';

register('./loader-hooks.mjs', import.meta.url);
