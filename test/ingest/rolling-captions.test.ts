import { describe, expect, it } from 'vitest';
import { readCaptionFile } from '../../ingest/readers/caption-file.ts';
import { withoutRepeats } from '../../ingest/rolling-captions.ts';

const captionsOf = (...texts: string[]) => texts.map((text, n) => ({ text, startSeconds: n, endSeconds: n + 1 }));
const textsOf = (...texts: string[]) => withoutRepeats(captionsOf(...texts)).map(({ text }) => text);

describe('captions', () => {
  it('that roll say every word once, at the second where it came', () => {
    expect(withoutRepeats(captionsOf('a b c', 'a b c d e', 'd e', 'd e f g', 'f g h i'))).toEqual([
      { text: 'a b c', startSeconds: 0, endSeconds: 1 },
      { text: 'd e', startSeconds: 1, endSeconds: 3 },
      { text: 'f g', startSeconds: 3, endSeconds: 4 },
      { text: 'h i', startSeconds: 4, endSeconds: 5 },
    ]);
  });

  it('that only have a refrain stay as they are', () => {
    const song = ['la la la', 'I went home', 'and home again', 'la la la', 'la la la', 'the end of it', 'of it all'];
    expect(textsOf(...song)).toEqual(song);
    expect(textsOf('yes yes', 'yes yes', 'no')).toEqual(['yes yes', 'yes yes', 'no']);
  });

  it('of a downloaded automatic track are read once', () => {
    const vtt = [
      'WEBVTT\nKind: captions\nLanguage: en',
      '00:00:00.000 --> 00:00:02.000 align:start position:0%\nso<00:00:00.500><c> today</c><00:00:01.000><c> we</c>',
      '00:00:02.000 --> 00:00:02.010\nso today we\n ',
      '00:00:02.010 --> 00:00:04.000\nso today we\nlook<00:00:02.500><c> at</c><00:00:03.000><c> pumps</c>',
      '00:00:04.000 --> 00:00:04.010\nlook at pumps\n ',
      '00:00:04.010 --> 00:00:06.000\nlook at pumps\nand<00:00:05.000><c> seals</c>',
    ].join('\n\n');
    const result = readCaptionFile(new TextEncoder().encode(vtt), 'talk.en.vtt');
    expect(result.type === 'read' && result.sections.map(({ text }) => text)).toEqual([
      'so today we',
      'look at pumps',
      'and seals',
    ]);
  });
});
