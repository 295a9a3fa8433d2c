import { describe, expect, it } from 'vitest';
import { fitBounds, type Screen, screenOf } from '../../main/electron/bounds.ts';

const first: Screen = { workArea: { x: 0, y: 0, width: 1920, height: 1040 }, scaleFactor: 1 };
/** A screen of 3840 by 2160 pixels at 200 %, to the right of the first. */
const sharp: Screen = { workArea: { x: 1920, y: 0, width: 1920, height: 1080 }, scaleFactor: 2 };
/** To the left, so its numbers are negative. */
const left: Screen = { workArea: { x: -1280, y: 100, width: 1280, height: 984 }, scaleFactor: 1.5 };

describe('a window comes back where it stood', () => {
  it.each([
    ['on the first screen', { x: 100, y: 50, width: 1180, height: 800 }],
    ['on a screen of another scale', { x: 2100, y: 60, width: 1180, height: 800 }],
    ['on a screen with negative places', { x: -1200, y: 150, width: 1000, height: 700 }],
    ['over the border between two', { x: 1500, y: 100, width: 1000, height: 700 }],
    ['a little over the edge', { x: 1920 + 1920 - 500, y: 700, width: 1180, height: 800 }],
  ])('%s', (_where, box) => expect(fitBounds(box, [first, sharp, left])).toEqual(box));
});

describe('a window comes into sight', () => {
  it('in the middle of the first screen when its own is gone, in its size', () => {
    const box = { x: 2100, y: 60, width: 1180, height: 800 };
    expect(fitBounds(box, [first])).toEqual({ x: 370, y: 120, width: 1180, height: 800 });
  });

  it('no larger than the screen that is left', () => {
    const box = { x: 5000, y: 0, width: 3000, height: 2000 };
    expect(fitBounds(box, [first])).toEqual({ x: 0, y: 0, width: 1920, height: 1040 });
    expect(fitBounds({ x: 0, y: 0, width: 3000, height: 900 }, [first])).toMatchObject({ width: 1920 });
  });

  it('with its title bar, where it stood above, below or beside all that can be seen', () => {
    expect(fitBounds({ x: 100, y: -40, width: 800, height: 600 }, [first]).y).toBe(0);
    expect(fitBounds({ x: 100, y: 980, width: 800, height: 600 }, [first]).y).toBe(980);
    const almostGone = fitBounds({ x: 1915, y: 100, width: 800, height: 600 }, [first]);
    expect(almostGone).toEqual({ x: 560, y: 220, width: 800, height: 600 });
    for (const y of [-700, -540, 1041, 5000]) {
      const { y: top } = fitBounds({ x: 100, y, width: 800, height: 600 }, [first]);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(top).toBeLessThanOrEqual(980);
    }
  });

  it('belongs to the screen that shows most of it', () => {
    expect(screenOf({ x: 1500, y: 0, width: 1000, height: 500 }, [first, sharp])).toBe(sharp);
    expect(screenOf({ x: 1300, y: 0, width: 1000, height: 500 }, [first, sharp])).toBe(first);
    expect(screenOf({ x: 9000, y: 0, width: 1000, height: 500 }, [first, sharp])).toBeNull();
  });
});
