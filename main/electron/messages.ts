/** What the window process and the core's process say to each other. Ports come beside the messages that name them. */
import { z } from 'zod';

const id = z.number().int().nonnegative();

/** `connect` and `started` carry a port. */
export const windowMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connect') }),
  z.object({ type: z.literal('issue'), id, paths: z.array(z.string()) }),
  z.object({ type: z.literal('locate'), id, documentId: z.string() }),
  z.object({ type: z.literal('started'), id, pid: z.number().optional() }),
  z.object({ type: z.literal('ended'), id, code: z.number().nullable() }),
  z.object({ type: z.literal('close') }),
]);
export type WindowMessage = z.infer<typeof windowMessage>;

/** `failed` comes before the core ends: the reason for the person. */
export const coreMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('failed'), message: z.string() }),
  z.object({ type: z.literal('issued'), id, tickets: z.array(z.string()) }),
  /** Where a document's file lies; null where it is not there. */
  z.object({ type: z.literal('located'), id, path: z.string().nullable() }),
  z.object({
    type: z.literal('start'),
    id,
    entry: z.enum(['engine-process', 'reader-main']),
    memoryBytes: z.number().optional(),
  }),
  z.object({ type: z.literal('kill'), id }),
  z.object({ type: z.literal('closed') }),
]);
export type CoreMessage = z.infer<typeof coreMessage>;
