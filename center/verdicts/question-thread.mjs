// Where the thread for heavy questions begins: threads do not take over how TypeScript is loaded.
import { register } from 'tsx/esm/api';

register();
await import('./question-thread.ts');
