/** Reports at the end of a run which test files took longest, so that a slow one is noticed at once. */
const FILES_SHOWN = 10;

export default class SlowestReporter {
  onRunComplete(_contexts, { testResults }) {
    if (testResults.length <= FILES_SHOWN) return;
    const files = testResults
      .map(({ testFilePath, perfStats: { start, end } }) => ({
        file: testFilePath,
        seconds: (end - start) / 1_000,
      }))
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, FILES_SHOWN);
    const lines = files.map(
      ({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file.slice(process.cwd().length + 1)}`,
    );
    process.stderr.write(`\nTook longest:\n${lines.join('\n')}\n`);
  }
}
