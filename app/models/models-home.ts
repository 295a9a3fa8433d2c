/** The folder of the models as the window sees it: its name, what it takes, whether it is there, and a move of it. */
import { QuothError, toErrorMessage } from '../contract/errors.ts';
import type { ModelsFolder } from '../contract/types.ts';
import { freeBytes } from '../free-bytes.ts';
import type { Log } from '../outside.ts';
import { filesOfModels, type ModelsPlace, nameOfFolder } from './models-place.ts';
import { type MoveReport, moveModels, targetOf, tidyMove } from './move-models.ts';
import { createSpeed } from './speed.ts';

export type ModelsHome = {
  state(): ModelsFolder;
  /** Ends what an earlier process left of a move, runs `tidy`, and looks at the folder. `mayTidy` false only looks. */
  start(tidy: () => Promise<void>, mayTidy: boolean): Promise<void>;
  /** Looks at the folder again. */
  measure(): Promise<void>;
  /** Begins a move; refuses with a sentence what cannot be begun. How it goes is told in the state. */
  moveTo(folder: string): Promise<void>;
  cancelMove(): void;
  close(): Promise<void>;
};

const tellEveryMs = 100;

export function createModelsHome(parts: {
  place: ModelsPlace;
  log: Log;
  nowMs: () => number;
  onChange: () => void;
  pauseInstalls: () => Promise<() => void>;
  letGo: () => Promise<void>;
  /** What was removed goes before a move: it need not be carried along. */
  finishRemovals: () => Promise<void>;
}): ModelsHome {
  const { place, log, nowMs, onChange } = parts;
  let measured: Pick<ModelsFolder, 'modelsBytes' | 'freeBytes'> = { modelsBytes: 0, freeBytes: null };
  let unreachable = false;
  let move: ModelsFolder['move'] = null;
  let reason: string | null = null;
  let moving: { controller: AbortController; ended: Promise<void> } | undefined;

  async function measure(): Promise<void> {
    const folder = place.folder();
    unreachable = await place.isUnreachable();
    const files = [...(await filesOfModels(folder)).values()].flat();
    measured = {
      modelsBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      freeBytes: (await freeBytes(folder)) ?? (await freeBytes(place.home)),
    };
    onChange();
  }

  function reporter(to: string): MoveReport {
    const speed = createSpeed(nowMs);
    let lastMs = Number.NEGATIVE_INFINITY;
    return (step, doneBytes, totalBytes) => {
      const at = speed.at(step, doneBytes, totalBytes);
      const isNew = move?.step !== step;
      move = { to, step, doneBytes, totalBytes, ...at };
      // What is told too late here is told by the next piece, some milliseconds on.
      if (!isNew && nowMs() - lastMs < tellEveryMs) return;
      lastMs = nowMs();
      onChange();
    };
  }

  async function run(to: string, signal: AbortSignal): Promise<void> {
    const release = await parts.pauseInstalls();
    try {
      await parts.finishRemovals();
      await moveModels(to, { place, log, letGo: parts.letGo }, signal, reporter(nameOfFolder(to)));
    } catch (error) {
      log('warn', 'the models were not moved', { error: String(error) });
      if (!signal.aborted) reason = toErrorMessage(error).message;
    } finally {
      move = null;
      moving = undefined;
      release();
      await measure();
    }
  }

  return {
    state: () => ({
      name: nameOfFolder(place.folder()),
      state: move ? 'moving' : unreachable ? 'unreachable' : 'here',
      ...measured,
      move,
      reason,
    }),
    async start(tidy, mayTidy) {
      try {
        if (mayTidy) {
          await tidyMove(place, log);
          await tidy();
        }
        await measure();
      } catch (error) {
        log('warn', 'the folder of the models could not be looked at', { error: String(error) });
      }
    },
    measure,
    async moveTo(folder) {
      if (moving) throw new QuothError('busy', 'The models are being moved already.');
      const to = await targetOf(folder, place);
      reason = null;
      move = { to: nameOfFolder(to), step: 'copy', doneBytes: 0, totalBytes: 0, bytesPerSecond: 0, secondsLeft: null };
      onChange();
      const controller = new AbortController();
      moving = { controller, ended: Promise.resolve() };
      moving.ended = run(to, controller.signal);
    },
    cancelMove: () => moving?.controller.abort(),
    async close() {
      moving?.controller.abort();
      await moving?.ended;
    },
  };
}
