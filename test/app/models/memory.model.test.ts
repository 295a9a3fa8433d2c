/** What the person wishes of the chat model's memory, as the engine is asked for it at each load. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createKit } from '../../../app/models/kit.ts';
import { offers } from '../../../app/models/offers.ts';
import type { ChatMemory } from '../../../app/models/room.ts';
import { defaultChatModel } from '../../../engines/catalogue.ts';
import { modelsFolder } from '../../../main/folders.ts';
import { type Engine, type EngineOptions, type Native, NativeError } from '../../../native/index.ts';
import { noNative } from '../outside.ts';

const folder = join(modelsFolder(), defaultChatModel);
const plan = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.quoth')) : undefined;
const offer = offers.find(({ id }) => id === defaultChatModel)!;

/** Opens the default chat model's real plan on an engine of cardboard; gives what it was asked for. */
async function openWith(memory: ChatMemory, refused: EngineOptions['kvType'] = undefined) {
  const asked: EngineOptions[] = [];
  const native: Native = {
    ...noNative,
    planMemory: async () => ({ freeBytes: 0, fits: true }) as never,
    loadEngine: async (options) => {
      asked.push(options);
      if (refused !== undefined && options.kvType === refused)
        throw new NativeError('unsupported', 'kvType: on the GPU, bytes are for other heads.');
      return { info: { kvTokens: options.kvTokens } } as Engine;
    },
  };
  const wishes = { ...memory };
  const kit = createKit({ native }, [offer], () => wishes);
  const open = () => kit.openChat(join(folder, plan!), offer, '');
  return { asked, wishes, model: await open(), open };
}

it.skipIf(!plan)('a smaller context is taken as it is, in the precision that is wished', async () => {
  const { asked, model } = await openWith({ contextTokens: 1024, kvPrecision: 'i8' });
  expect(model.contextTokens).toBe(1024);
  expect(asked).toMatchObject([{ kvType: 'i8', kvTokens: 2048, minKvTokens: 1024 }]);
});

it.skipIf(!plan)('a context beyond the model’s own is the model’s own', async () => {
  const automatic = await openWith({ contextTokens: null, kvPrecision: 'auto' });
  const { model } = await openWith({ contextTokens: 131_072, kvPrecision: 'f16' });
  expect(automatic.asked[0]).not.toHaveProperty('kvType');
  expect(model.contextTokens).toBe(automatic.model.contextTokens);
});

it.skipIf(!plan)('what was changed counts from the next load on', async () => {
  const { asked, wishes, open } = await openWith({ contextTokens: null, kvPrecision: 'auto' });
  wishes.contextTokens = 1024;
  wishes.kvPrecision = 'f16';
  expect((await open()).contextTokens).toBe(1024);
  expect(asked.map(({ kvType }) => kvType)).toEqual([undefined, 'f16']);
});

it.skipIf(!plan)('a precision that a device does not have costs the wish, not the model', async () => {
  const { asked, model } = await openWith({ contextTokens: null, kvPrecision: 'i8' }, 'i8');
  expect(asked.map(({ kvType }) => kvType)).toEqual(['i8', undefined]);
  expect(model.name).toBe(offer.name);
});
