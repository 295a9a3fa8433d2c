/** The talk with the person about a newer version, in the system's message boxes. */
import type { UpdateState, Updates } from './update.ts';
import type { UpdateTexts } from './update-texts.ts';

/** Shows a message and gives the number of the button that was pressed; the last one is also Escape. */
export type Ask = (message: { message: string; detail: string; buttons: string[] }) => Promise<number>;

/** Checks, and goes on as far as the person says yes. */
export async function askForUpdate(updates: Updates, texts: UpdateTexts, ask: Ask): Promise<void> {
  const tell = (message: string, detail = ''): Promise<number> => ask({ message, detail, buttons: [texts.close] });
  const tellFailure = (state: UpdateState): Promise<number> | undefined =>
    state.type === 'failed' ? tell(texts.failed, texts.reasons[state.reason]) : undefined;
  const found = await updates.check('person');
  if (found.type === 'failed') return void (await tellFailure(found));
  if (found.type === 'current') return void (await tell(texts.current));
  if (found.type === 'available') {
    if (!found.canInstall) return void (await tell(texts.available(found.version), texts.byHand));
    const answer = await ask({
      message: texts.available(found.version),
      detail: '',
      buttons: [texts.download, texts.later],
    });
    if (answer !== 0) return;
  }
  const fetched = found.type === 'ready' ? found : await updates.download();
  if (fetched.type === 'failed') return void (await tellFailure(fetched));
  if (fetched.type !== 'ready') return;
  const answer = await ask({
    message: texts.ready(fetched.version),
    detail: '',
    buttons: [texts.restart, texts.later],
  });
  if (answer === 0) updates.install();
}
