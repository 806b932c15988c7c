#!/usr/bin/env node
// The installed command: the same entry as `npm run -s platen`, for a package linked or installed by npm.
import { register } from 'tsx/esm/api';

register();
await import('./platen.ts');
