/** The chat model as a job uses it: one short text at a time, in the background. */
import { toSentTo } from '../chats/ask.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import { greedySampling, inBackground, newSpeech, speak } from '../chats/speak.ts';
import type { SentTo } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { Courtesy } from './courtesy.ts';

export type ModelHand = {
  /** Of the model that is in use now. */
  id: string;
  /** Where it is asked, if not on this computer by Quoth itself. */
  sentTo: SentTo | undefined;
  /** How many tokens of a document it is given at once. */
  partTokens: number;
  countTokens(text: string): number;
  /**
   * What the model says to an instruction and a text. Null when it fails (also with a fresh engine), when the text does not
   * fit, or when the signal has aborted.
   */
  say(instruction: string, text: string, signal: AbortSignal): Promise<string | null>;
  /** It has failed for good: nothing more is to be asked of it. */
  isLost(): boolean;
};

export type ModelHandParts = {
  chatModel: () => Promise<ChatModel | null>;
  noteFailure: (error: unknown, model: ChatModel) => boolean;
  courtesy: Courtesy;
  nowMs: () => number;
  log: Log;
};

const mostOutputTokens = 160;
/** A small model answers from wherever it looks in a long text, and a large one loses what stands in its middle. */
const mostPartTokens = 1500;
const frameTokens = 120;
/** After so many failures one after the other, it is not asked again. */
const mostFailures = 3;

/** Null where no model is installed or none can be loaded. */
export async function openModelHand(parts: ModelHandParts): Promise<ModelHand | null> {
  const { chatModel, noteFailure, courtesy, nowMs, log } = parts;
  const open = async (): Promise<ChatModel | null> => {
    try {
      return await chatModel();
    } catch (error) {
      log('warn', 'a job goes on without a chat model', { error: String(error) });
      return null;
    }
  };
  const first = await open();
  if (!first) return null;
  let numFailures = 0;

  async function sayOnce(model: ChatModel, ids: Int32Array, maxTokens: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      await courtesy.quiet(signal);
      const interruption = courtesy.interruption();
      const speech = newSpeech();
      const either = AbortSignal.any([signal, interruption]);
      const said = speak(
        model,
        { ids, shown: [], passages: [], maxTokens },
        greedySampling,
        speech,
        () => null,
        nowMs,
        either,
        inBackground,
      );
      for await (const _ of said);
      // A person came in between: from the beginning, whose kv pages may still be there.
      if (!interruption.aborted || signal.aborted) return speech.text;
    }
  }

  return {
    id: first.id,
    sentTo: toSentTo(first, 0),
    partTokens: Math.max(200, Math.min(mostPartTokens, first.contextTokens - mostOutputTokens - frameTokens)),
    countTokens: (text) => first.countTokens(text),
    isLost: () => numFailures >= mostFailures,
    async say(instruction, text, signal) {
      for (let round = 0; round < 2 && numFailures < mostFailures; round++) {
        const model = await open();
        if (!model || signal.aborted) break;
        const ids = model.encodePrompt(instruction, text);
        const room = model.contextTokens - ids.length;
        if (room < mostOutputTokens / 2) return null;
        try {
          const said = await sayOnce(model, ids, Math.min(mostOutputTokens, room), signal);
          if (signal.aborted) return null;
          numFailures = 0;
          return said;
        } catch (error) {
          log('warn', 'the chat model failed in a job', { error: String(error) });
          const died = noteFailure(error, model);
          if (died && round === 0) continue; // once more with a fresh engine
          break;
        }
      }
      if (!signal.aborted) numFailures += 1;
      return null;
    },
  };
}
