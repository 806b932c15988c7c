import fc from 'fast-check';
import { type Choice, choose, compileCatalog, judge } from '../../../compatibility/index.ts';
import { cured, outline } from './cured.ts';
import { type Case, cases } from './instances.ts';
import { Oracle } from './oracle.ts';
import { PlanOracle } from './plan-oracle.ts';

// test:long tries many more cases.
const RUNS = process.env['PLATEN_TEST_LONG'] ? 5_000 : 150;
const SEED = 20261122;

function compiled(document: Case['catalog']) {
  const { catalog, diagnostics } = compileCatalog(document);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return catalog;
}

function checkChoice({ catalog: document, structure, options }: Case): void {
  const catalog = compiled(document);
  const best = new Oracle(catalog, options).best(structure);
  const choice = choose(catalog, structure, options);
  if (!best) {
    expect(choice.outcome).toBe('impossible');
    return;
  }
  expect(choice.outcome).not.toBe('impossible');
  expect(choice.cost).toEqual(best.cost);
  expect(outline(cured(structure, choice))).toBe(outline(best.structure));
}

test('the chosen set is the best of all that can be tried', () => {
  fc.assert(fc.property(cases, checkChoice), { numRuns: RUNS, seed: SEED });
});

function pairs(step: readonly string[]): [string, string][] {
  return step.flatMap((subject, i): [string, string][] => (i % 2 === 0 ? [[subject, step[i + 1]!]] : []));
}

/**
 * Replays the steps: each follows an edge, every state between two steps is valid, and the last one is the chosen set.
 */
function replay(oracle: PlanOracle, steps: readonly string[][], before: number): void {
  const versions = oracle.start();
  for (const [i, step] of steps.entries()) {
    if (i > 0) {
      expect(oracle.isValid(versions, !oracle.hasExchange || before < i)).toBe(true);
      if (oracle.hasExchange && i === before) expect(oracle.isValid(versions, true)).toBe(true);
    }
    for (const [subject, to] of pairs(step)) {
      expect([subject, oracle.mayStep(subject, versions.get(subject)!, to)]).toEqual([subject, true]);
      versions.set(subject, to);
    }
  }
  expect([...versions].sort()).toEqual([...oracle.goal()].sort());
}

/** The alternative to a blocked set fits, is reachable, and is no better than the blocked one. */
function checkAlternative({ catalog: document, structure, options }: Case, choice: Choice): void {
  const catalog = compiled(document);
  const { remedy, cost } = choice.alternative!;
  const instead: Choice = { outcome: 'chosen', remedy, cost };
  expect(judge(catalog, cured(structure, instead)).findings).toEqual([]);
  const oracle = new PlanOracle(document, catalog, structure, options, instead);
  replay(oracle, remedy.steps, remedy.structure[0]?.afterSteps ?? 0);
  expect(cost[0]).toBeGreaterThanOrEqual(choice.cost![0]);
}

function checkPlan({ catalog: document, structure, options }: Case): void {
  const catalog = compiled(document);
  const choice = choose(catalog, structure, options);
  if (!choice.remedy) return;
  const oracle = new PlanOracle(document, catalog, structure, options, choice);
  const transactional = document.apparatus![0]!.transactional === true && structure.apparatus.model === 'A';
  const subjects = oracle.start().size;
  if (choice.outcome === 'blocked') {
    if (choice.alternative) checkAlternative({ catalog: document, structure, options }, choice);
    expect(oracle.fewest(1)).toBeUndefined();
    if (transactional)
      for (let size = 2; size <= subjects; size++) expect(oracle.fewest(size)).toBeUndefined();
    return;
  }
  const { steps, structure: exchanged } = choice.remedy;
  replay(oracle, steps, exchanged[0]?.afterSteps ?? 0);
  const groupMax = Math.max(1, ...steps.map((step) => step.length / 2));
  for (let size = 1; size < groupMax; size++) expect(oracle.fewest(size)).toBeUndefined();
  expect(oracle.fewest(groupMax)).toBe(steps.length);
}

test('the steps are valid, and no order has fewer', () => {
  fc.assert(fc.property(cases, checkPlan), { numRuns: RUNS * 3, seed: SEED });
});
