import { execFileSync } from 'node:child_process';
import { clip, decodeText, looksLikeText, meaningful, slug } from './text.ts';

/** Text in a character set of the C library: the octets are not this program's own idea of them. */
const octets = (text: string, charset: string) =>
  execFileSync('iconv', ['-f', 'UTF-8', '-t', charset], { input: text });

const JAPANESE = '用紙がつまりました';

test.each([
  ['EUC-JP, named', JAPANESE, 'EUC-JP', 18],
  ['EUC-JP, unnamed: told by its kana', JAPANESE, 'EUC-JP', undefined],
  ['EUC-JP, named UTF-8', JAPANESE, 'EUC-JP', 106],
  ['Shift-JIS, named', JAPANESE, 'SHIFT_JIS', 17],
  ['Shift-JIS, unnamed', JAPANESE, 'SHIFT_JIS', undefined],
  ['Shift-JIS of half-width kana alone', 'ﾄﾅｰｶﾞﾅｸﾅﾘﾏｼﾀ', 'SHIFT_JIS', undefined],
  ['UTF-16 of high order first, by its NULs', 'Tray 1: empty', 'UTF-16BE', undefined],
  ['UTF-16 of low order first, by its NULs', 'Tray 1: empty', 'UTF-16LE', undefined],
  ['UTF-16 with a mark', `\ufeff${JAPANESE}`, 'UTF-16BE', undefined],
  ['UTF-16 with a mark, low order first', `\ufeff${JAPANESE}`, 'UTF-16LE', undefined],
  ['UTF-16 without Latin letters, named', JAPANESE, 'UTF-16BE', 1013],
  ['UTF-16 without Latin letters, low order first, named', JAPANESE, 'UTF-16LE', 1014],
  ['UTF-8, whatever the name says', `Störung ${JAPANESE}`, 'UTF-8', 4],
  ['Latin-1, unnamed', 'Störung: Gerät prüfen', 'ISO-8859-1', undefined],
  ['Latin-2, named', 'Zásobník č. 1 – ľavý'.replace('–', '-'), 'ISO-8859-2', 5],
  ['Cyrillic, named', 'Замятие бумаги', 'WINDOWS-1251', 2251],
  ['Chinese, named', '卡纸', 'GBK', 113],
  ['Korean, named', '용지 걸림', 'EUC-KR', 38],
])('%s', (_, text, charset, named) => {
  expect(decodeText(octets(text, charset), named)).toBe(text.replace('\ufeff', ''));
});

test('fields of fixed length: padding goes, a character that was cut goes, the rest stays', () => {
  expect(decodeText(Buffer.from('FS-539\0\0\0'))).toBe('FS-539');
  expect(decodeText(Buffer.concat([octets(JAPANESE, 'EUC-JP'), Buffer.alloc(5)]), 18)).toBe(JAPANESE);
  expect(decodeText(Buffer.concat([octets('Tray 1', 'UTF-16LE'), Buffer.alloc(4)]))).toBe('Tray 1');
  expect(decodeText(octets(JAPANESE, 'UTF-8').subarray(0, 26))).toBe(JAPANESE.slice(0, -1));
});

test('a German text is no Japanese, and octets that are none of it are not text', () => {
  expect(decodeText(octets('Größe ändern: äöüßÄÖÜ', 'ISO-8859-1'))).toBe('Größe ändern: äöüßÄÖÜ');
  expect(looksLikeText(octets('Tray 1', 'UTF-16BE'))).toBe(true);
  expect(looksLikeText(octets(JAPANESE, 'EUC-JP'))).toBe(true);
  expect(looksLikeText(Buffer.from([0x01, 0x80, 0x02]))).toBe(false);
});

test('padding words say nothing, ids keep foreign letters apart, a pair is not cut in half', () => {
  expect(['N/A', '0000', 'xxxx', ' - ', 'unknown'].map((text) => meaningful(text))).toEqual(
    Array(5).fill(undefined),
  );
  expect(meaningful(' FS-539 ')).toBe('FS-539');
  expect(slug('Großer Finisher 2')).not.toBe(slug('Gro er Finisher 2'));
  expect(slug('排紙')).not.toBe(slug('給紙'));
  expect(clip('ab😀', 3)).toBe('ab');
});
