import { checkCount } from './expected-count.ts';

test.each([
  [{ targets: 300 }, 300, undefined],
  [{ targets: 300 }, 299, 'request/conflict'],
  [{ targets: 300 }, 1258, 'request/conflict'],
  [{ targets: 300, tolerance: 0.1 }, 330, undefined],
  [{ targets: 300, tolerance: 0.1 }, 331, 'request/conflict'],
  [{ targets: 300, tolerance: 0.1 }, 269, 'request/conflict'],
  [{ targets: 0, tolerance: 1 }, 1, 'request/conflict'],
])('of %j expected %i printers are answered with %s', (expected, targets, code) => {
  const check = () => checkCount({ expect: expected }, targets);
  if (code === undefined) check();
  else expect(check).toThrow(expect.objectContaining({ code }));
});

test('more canaries than printers are refused, as many are not', () => {
  checkCount({ options: { canaries: 3 } }, 3);
  expect(() => checkCount({ options: { canaries: 4 } }, 3)).toThrow(
    expect.objectContaining({
      code: 'request/invalid',
      message: expect.stringContaining('/options/canaries'),
    }),
  );
});
