// Where the thread that chooses begins: threads do not take over how TypeScript is loaded.
import { register } from 'tsx/esm/api';

register();
await import('./choosing-thread.ts');
