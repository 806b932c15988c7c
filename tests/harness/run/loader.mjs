/**
 * Loads the project's TypeScript as compiled by `setup.mjs`; tests start programs with `node --import` of this file.
 * tsx does the same but adds half a second to each start. Node gets a file that was not compiled, and refuses it.
 */
import { register } from 'node:module';

register('./loader-hooks.mjs', import.meta.url);
