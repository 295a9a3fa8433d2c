/** `/v1/embeddings`, in numbers or in base64 of float32, little-endian. */
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Programs } from '../../app/programs/programs.ts';
import { parseRequest } from './chat-request.ts';
import { ApiRefusal } from './errors.ts';
import { sendJson } from './send-json.ts';

const maxTexts = 2048;
const maxCharacters = 1_000_000;

const text = z.string().min(1).max(maxCharacters);
const embeddingsRequest = z.object({
  model: z.string().min(1).max(300),
  input: z.union([text, z.array(text).min(1).max(maxTexts)], {
    error: `must be a text, or 1 to ${maxTexts} texts, none of them empty; tokens are not taken`,
  }),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.number().int().min(1).nullish(),
  /** Some embedders tell questions from passages: as NVIDIA's and other servers name it. */
  input_type: z.enum(['passage', 'query']).nullish(),
});

export async function answerEmbeddings(
  body: unknown,
  response: ServerResponse,
  programs: Programs,
  signal: AbortSignal,
): Promise<void> {
  const request = parseRequest(embeddingsRequest, body);
  const { embedder } = await programs.inUse();
  if (embedder && request.model !== embedder.id)
    throw new ApiRefusal(
      404,
      'model_not_found',
      `"${request.model.slice(0, 100)}" is not in use. There is "${embedder.id}".`,
      'model',
    );
  const texts = typeof request.input === 'string' ? [request.input] : request.input;
  const { model, vectors, dimension, numTokens } = await programs.embed(texts, request.input_type ?? 'passage', signal);
  if (request.dimensions && request.dimensions !== dimension)
    throw new ApiRefusal(400, 'invalid_value', `This model's vectors have ${dimension} numbers.`, 'dimensions');
  if (signal.aborted) return;
  const vectorOf = (index: number): number[] | string => {
    const vector = vectors.slice(index * dimension, (index + 1) * dimension);
    if (request.encoding_format !== 'base64') return [...vector];
    const bytes = Buffer.alloc(4 * dimension);
    for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, 4 * at);
    return bytes.toString('base64');
  };
  sendJson(response, 200, {
    object: 'list',
    data: texts.map((_, index) => ({ object: 'embedding', index, embedding: vectorOf(index) })),
    model,
    usage: { prompt_tokens: numTokens, total_tokens: numTokens },
  });
}
