/**
 * A chat model whose words a test writes: it is told the instruction and the text of each prompt and answers with what the
 * test makes of them. Tokens are words and signs, one id each; nothing is computed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import type { ChatModel } from '../../app/chats/chat-model.ts';
import type { AppKit } from '../../app/models/kit.ts';
import { modelFolder, writeManifest } from '../../app/models/model-folder.ts';
import type { Engine, GenerateEvent, GenerateRequest } from '../../native/index.ts';
import { noModels } from '../app/outside.ts';

export type ScriptedModel = {
  kit: AppKit;
  /** Every prompt so far, with its priority. */
  prompts: { instruction: string; text: string; priority: number; numTokens: number }[];
  /** What it says; a promise lets a test hold it back, a throw is the engine's failure. */
  reply: (text: string, instruction: string) => string | Promise<string>;
  contextTokens: number;
  /** The requests themselves. */
  requests: GenerateRequest[];
  /** Generations that nobody has left and that have not ended. */
  numRunning: () => number;
  /** After so many tokens the engine fails; null = it does not. */
  failAfter: number | null;
};

const offer = {
  id: 'scripted',
  name: 'Scripted',
  role: 'chat' as const,
  licence: 'none',
  planBytes: 1,
  note: '',
  checkpoint: null,
  files: [],
};

/** To be given to `scene.open({ kit })`, after `installScripted` has put its folder there. */
export function createScriptedModel(): ScriptedModel {
  const pieces: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (piece: string): number => {
    const known = ids.get(piece);
    if (known !== undefined) return known;
    pieces.push(piece);
    ids.set(piece, pieces.length - 1);
    return pieces.length - 1;
  };
  const encode = (text: string): number[] => (text.match(/\s*\S+|\s+/g) ?? []).map(idOf);
  const asked = new Map<string, { instruction: string; text: string }>();
  const scripted: ScriptedModel = {
    kit: noModels,
    prompts: [],
    reply: () => '',
    contextTokens: 2048,
    requests: [],
    numRunning: () => running.size,
    failAfter: null,
  };
  const running = new Set<object>();

  /** As the real one: leaving the loop ends the generation at once, also while nothing comes. */
  function begin(request: GenerateRequest): AsyncIterable<GenerateEvent> {
    const items = generate(request);
    const one = {};
    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          running.add(one);
          const next = await items.next().catch((error: unknown) => {
            running.delete(one);
            throw error;
          });
          if (next.done) running.delete(one);
          return next;
        },
        async return() {
          running.delete(one);
          void items.return(undefined);
          return { done: true, value: undefined };
        },
      }),
    };
  }

  async function* generate(request: GenerateRequest): AsyncGenerator<GenerateEvent> {
    const prompt = asked.get(request.ids.join());
    if (!prompt) throw new Error('this prompt was never encoded');
    scripted.requests.push(request);
    scripted.prompts.push({ ...prompt, priority: request.priority, numTokens: request.ids.length });
    yield { type: 'started', numPromptTokens: request.ids.length, numCachedTokens: 0 };
    const said = encode(await scripted.reply(prompt.text, prompt.instruction)).slice(0, request.maxTokens);
    for (const [at, id] of said.entries()) {
      if (at === scripted.failAfter) throw new Error('the engine fails');
      const top = Array.from({ length: request.logProbabilities ?? 0 }, () => ({ id, logProbability: -0.5 }));
      const logProbabilities = request.logProbabilities === undefined ? undefined : [{ logProbability: -0.5, top }];
      yield { type: 'tokens', ids: Int32Array.of(id), ...(logProbabilities ? { logProbabilities } : {}) };
    }
    const reason = said.length === request.maxTokens ? 'length' : 'stop';
    yield { type: 'finished', reason, numOutputTokens: said.length, ttftMs: 1, decodeMs: 1 };
  }

  // Processors do not say what their memory could give.
  const info = { memoryBytesPerSecond: 0 };
  const engine = { info, generate: begin, close: async () => {} } as unknown as Engine;
  function remember(instruction: string, text: string): Int32Array {
    const prompt = Int32Array.from(encode(`${instruction}\n${text}`));
    asked.set(prompt.join(), { instruction, text });
    return prompt;
  }
  const model = (): ChatModel => ({
    id: offer.id,
    name: offer.name,
    engine,
    contextTokens: scripted.contextTokens,
    stopIds: [],
    stopStrings: [],
    countTokens: (text) => encode(text).length,
    encodePrompt: remember,
    encodeChat(messages) {
      const [instruction, text] = [messages.filter(({ role }) => role === 'system'), messages.at(-1)];
      return remember(instruction.map(({ content }) => content).join('\n'), text?.content ?? '');
    },
    streamDecoder: () => ({
      push: (some) => Array.from(some, (id) => pieces[id]).join(''),
      end: () => '',
    }),
  });
  scripted.kit = { ...noModels, offers: [offer], openChat: async () => model(), engineOf: () => engine };
  return scripted;
}

/** Puts what an installation leaves into the folder of the models. */
export async function installScripted(modelsFolder: string): Promise<void> {
  const where = modelFolder(modelsFolder, offer.id);
  await mkdir(where.folder, { recursive: true });
  await writeFile(where.plan, 'x');
  await writeManifest(where, { id: offer.id, planBytes: 1, planSha256: '0'.repeat(64), sources: [], installedAtMs: 0 });
}
