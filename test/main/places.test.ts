import { describe, expect, it } from 'vitest';
import { placeWords } from '../../main/cli/places.ts';

const nowhere = { page: null, paragraph: null, startSeconds: null, label: null };

describe('a place on the command line', () => {
  it('is a page, a time, or what a person calls it', () => {
    expect(placeWords(nowhere)).toBe('');
    expect(placeWords({ ...nowhere, page: 12 })).toBe('p. 12');
    expect(placeWords({ ...nowhere, startSeconds: 3800 })).toBe('1:03:20');
    expect(placeWords({ ...nowhere, page: 3, label: 'Slide 3' })).toBe('Slide 3');
    expect(placeWords({ ...nowhere, paragraph: 2, label: 'Sheet Budget A2:F40' })).toBe('Sheet Budget A2:F40');
    expect(placeWords({ ...nowhere, page: 12, label: 'letters/may.pdf' })).toBe('letters/may.pdf, p. 12');
  });
});
