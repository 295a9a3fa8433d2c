/** Where the words of a citation stand on their page. */
import type { App } from '../../app/app.ts';
import type { BoxesOf } from './citations.ts';

/** Known for cells of tables; null for the rest. */
export function createBoxesOf(_app: Pick<App, 'handlers'>): BoxesOf {
  return async ({ boxes }) => boxes ?? null;
}
