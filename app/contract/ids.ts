/** The names that things have towards the window: never a path, never a position. */
import { z } from 'zod';

export const documentId = z
  .string()
  .regex(/^doc_[0-9a-z]{16}$/)
  .brand<'DocumentId'>();
export const chatId = z
  .string()
  .regex(/^chat_[0-9a-z]{16}$/)
  .brand<'ChatId'>();
export const turnId = z
  .string()
  .regex(/^turn_[0-9a-z]{16}$/)
  .brand<'TurnId'>();
export const folderId = z
  .string()
  .regex(/^folder_[0-9a-z]{16}$/)
  .brand<'FolderId'>();
/** A named set of documents that a person made. */
export const collectionId = z
  .string()
  .regex(/^collection_[0-9a-z]{16}$/)
  .brand<'CollectionId'>();
/** A folder in which documents lie. Never a path. */
export const placeKey = z
  .string()
  .regex(/^place_[0-9a-f]{16}$/)
  .brand<'PlaceKey'>();
export const passageId = z.number().int().positive().brand<'PassageId'>();
export const modelId = z.string().min(1).max(100).brand<'ModelId'>();
/** The opaque id of a file or folder that the user gave to the shell. The renderer never sees the path behind it. */
export const ticket = z
  .string()
  .regex(/^[0-9a-zA-Z_-]{22,64}$/)
  .brand<'Ticket'>();

export type DocumentId = z.infer<typeof documentId>;
export type ChatId = z.infer<typeof chatId>;
export type TurnId = z.infer<typeof turnId>;
export type FolderId = z.infer<typeof folderId>;
export type CollectionId = z.infer<typeof collectionId>;
export type PlaceKey = z.infer<typeof placeKey>;
export type PassageId = z.infer<typeof passageId>;
export type ModelId = z.infer<typeof modelId>;
export type Ticket = z.infer<typeof ticket>;
