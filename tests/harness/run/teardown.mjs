/** Removes the folder of the test run. */
import { rmSync } from 'node:fs';

export default function tearDown() {
  const folder = process.env.PLATEN_TEST_RUN;
  if (folder) rmSync(folder, { recursive: true, force: true });
}
