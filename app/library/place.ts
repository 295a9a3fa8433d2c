import type { Locator } from '../../ingest/source.ts';
import type { Place } from '../contract/types.ts';

/** Where a text stands, as a window shows it. */
export function placeOf({ locator, label = null }: { locator: Locator; label?: string | null }): Place {
  return {
    page: locator.type === 'page' ? locator.page : null,
    paragraph: locator.type === 'paragraph' ? locator.paragraph : null,
    startSeconds: locator.type === 'time' ? locator.startSeconds : null,
    label,
  };
}
