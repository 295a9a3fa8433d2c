import type { Embedder } from '../../ingest/embedder.ts';
import type { ChatModel } from '../chats/chat-model.ts';
import type { Outside } from '../outside.ts';
import type { ModelKit } from './models.ts';

export type AppKit = ModelKit<ChatModel, Embedder>;

export function createKit(_outside: Outside): AppKit {
  throw new Error('not yet');
}
