import OpenAI, { type APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { all } from '../../app/outside.ts';
import { type OpenApi, openApi, towerFact } from './open-api.ts';

let api: OpenApi;
let openai: OpenAI;

beforeAll(async () => {
  api = await openApi();
  openai = new OpenAI({ baseURL: api.address, apiKey: api.key, maxRetries: 0 });
});
afterAll(() => api?.remove());
beforeEach(() => {
  api.model.reply = () => 'The lighthouse of Ploumanac’h is 15 metres tall.';
});

const question = 'How tall is the lighthouse of Ploumanac’h?';
const user = (content: string) => ({ role: 'user' as const, content });

describe('with the official client', () => {
  it('lists the model in use and the library', async () => {
    const models = await all(openai.models.list());
    expect(models.map(({ id }) => id)).toEqual(['scripted', 'quoth-library']);
    expect(await openai.models.retrieve('quoth-library')).toMatchObject({ object: 'model', owned_by: 'quoth' });
  });

  it('gives an answer whole, with what it took', async () => {
    api.model.reply = () => 'Good morning to you.';
    const answer = await openai.chat.completions.create({
      model: 'scripted',
      messages: [{ role: 'system', content: 'You are polite.' }, user('Good morning.')],
    });
    expect(answer).toMatchObject({ object: 'chat.completion', model: 'scripted' });
    expect(answer.choices).toHaveLength(1);
    expect(answer.choices[0]).toMatchObject({
      index: 0,
      finish_reason: 'stop',
      message: { role: 'assistant', content: 'Good morning to you.', refusal: null },
    });
    expect(api.model.prompts.at(-1)).toMatchObject({ instruction: 'You are polite.', text: 'Good morning.' });
    expect(answer.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 });
  });

  it('streams the same words, and the usage where it is asked for', async () => {
    api.model.reply = () => 'One two three four.';
    const stream = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Count.')],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await all(stream);
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant' });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('One two three four.');
    expect(chunks.filter(({ choices }) => choices[0]?.delta.content).length).toBeGreaterThan(2);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 4 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it('ends at a stop text, which is no part of the answer, and at the wanted length', async () => {
    api.model.reply = () => 'red green blue yellow';
    const stopped = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Colours?')],
      stop: 'blue',
    });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'red green ' } });
    const short = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Colours?')],
      max_completion_tokens: 2,
    });
    expect(short.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: 'red green' } });
  });

  it('gives each token its log-probability, and the likeliest in its place', async () => {
    api.model.reply = () => 'yes indeed';
    const answer = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Sure?')],
      logprobs: true,
      top_logprobs: 1,
    });
    const tokens = answer.choices[0]?.logprobs?.content ?? [];
    expect(tokens.map(({ token }) => token).join('')).toBe('yes indeed');
    expect(tokens[0]).toMatchObject({ logprob: -0.5, bytes: [...Buffer.from('yes')] });
    expect(tokens[0]?.top_logprobs).toMatchObject([{ token: 'yes', logprob: -0.5 }]);
  });

  it('hands the sampling on', async () => {
    await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Anything?')],
      temperature: 0.7,
      top_p: 0.9,
      seed: 42,
      presence_penalty: 0.5,
      frequency_penalty: -0.5,
      logit_bias: { 7: -100 },
    });
    expect(api.model.requests.at(-1)?.sampling).toMatchObject({
      temperature: 0.7,
      topP: 0.9,
      seed: 42,
      presencePenalty: 0.5,
      frequencyPenalty: -0.5,
      logitBias: [[7, -100]],
    });
  });

  it('answers several programs at once: none waits for another to end', async () => {
    let running = 0;
    let most = 0;
    const all4 = Promise.withResolvers<void>();
    api.model.reply = async () => {
      running += 1;
      most = Math.max(most, running);
      if (running === 4) all4.resolve();
      await all4.promise;
      return 'Together.';
    };
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => openai.chat.completions.create({ model: 'scripted', messages: [user(`Number ${n}?`)] })),
    );
    expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(Array(4).fill('Together.'));
    expect(most).toBe(4);
  });

  it('leaving a stream ends the generation', async () => {
    api.model.reply = () => 'word '.repeat(100_000);
    const stream = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('On and on.')],
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await expect.poll(() => api.model.numRunning()).toBe(0);
  });

  it('giving up a request that is being read ends it before its first word', async () => {
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    api.model.reply = () => {
      begun.resolve();
      return new Promise(() => {});
    };
    const asked = openai.chat.completions.create(
      { model: 'scripted', messages: [user('Never.')] },
      { signal: controller.signal },
    );
    await begun.promise;
    controller.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => api.model.numRunning()).toBe(0);
  });
});

describe('the library as a source', () => {
  type Cited = {
    annotations?: {
      url_citation: { start_index: number; end_index: number; title: string; url: string };
      quoth: object;
    }[];
  };
  type WithQuoth = {
    quoth: { refused: boolean; written_by: string; citations: Record<string, unknown>[]; text: string };
  };

  it('every sentence comes with its quote, checked, and with where it stands', async () => {
    const answer = await openai.chat.completions.create({ model: 'quoth-library', messages: [user(question)] });
    const { content } = answer.choices[0]!.message;
    const { annotations = [] } = answer.choices[0]!.message as Cited;
    expect(content).toContain('[1]');
    const [first] = annotations;
    expect(content!.slice(first!.url_citation.start_index, first!.url_citation.end_index)).toBe('[1]');
    expect(first!.url_citation.url).toMatch(/^quoth:\/\/document\/doc_/);
    const { quoth } = answer as unknown as WithQuoth;
    expect(quoth).toMatchObject({ refused: false, written_by: 'model' });
    expect(quoth.citations[0]).toMatchObject({ n: 1, source: 'lighthouse.txt', verified: true, page: null });
    expect(towerFact).toContain(quoth.citations[0]!.quote as string);
    expect(first!.quoth).toEqual(quoth.citations[0]);
    expect(answer.usage!.prompt_tokens).toBeGreaterThan(10);
  });

  it('a quote on a page of a PDF comes with its boxes, one a line', async () => {
    api.model.reply = () => 'The oats of 1987 were ruined by a storm in July.';
    const answer = await openai.chat.completions.create({
      model: 'quoth-library',
      messages: [user('What ruined the oats of Kilbrannan in 1987?')],
    });
    const [citation] = (answer as unknown as WithQuoth).quoth.citations;
    expect(citation).toMatchObject({ source: 'harvest.pdf', page: 2, verified: true });
    const boxes = citation!.boxes as number[][];
    // Helvetica 18; the lines begin at 72 and their feet stand 100, 130 and 160 points below the edge.
    expect(boxes).toHaveLength(3);
    for (const [index, box] of boxes.entries()) {
      const [left = 0, top = 0, right = 0, bottom = 0] = box;
      expect(left).toBeCloseTo(72, 0);
      expect(top).toBeCloseTo(100 + 30 * index - 14.4, 0);
      expect(bottom).toBeCloseTo(100 + 30 * index + 3.6, 0);
      expect(right).toBeGreaterThan(280);
      expect(right).toBeLessThan(400);
    }
  });

  it('is a source of any model by the field "quoth"', async () => {
    const answer = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user(question)],
      ...{ quoth: { library: true } },
    });
    expect((answer as unknown as WithQuoth).quoth.citations).toHaveLength(1);
  });

  it('streams a draft, and last what stood the check', async () => {
    const stream = await openai.chat.completions.create({
      model: 'quoth-library',
      messages: [user(question)],
      stream: true,
    });
    const chunks = await all(stream);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toContain('15 metres tall');
    const last = chunks.at(-1) as unknown as WithQuoth & { choices: { delta: Cited }[] };
    expect(last.quoth.text).toContain('[1]');
    expect(last.quoth.citations).toHaveLength(1);
    expect(last.choices[0]!.delta.annotations).toHaveLength(1);
  });

  it('says no where the documents do not hold the answer', async () => {
    api.model.reply = () => 'The king of France is bald.';
    const answer = await openai.chat.completions.create({
      model: 'quoth-library',
      messages: [user('Who is the chief accountant of Zanzibar?')],
    });
    expect((answer as unknown as WithQuoth).quoth).toMatchObject({ refused: true });
  });

  it('is searched as far as the scope says', async () => {
    const bread = api.app.library.list().find(({ source }) => source === 'bread.txt')!;
    const answer = await openai.chat.completions.create({
      model: 'quoth-library',
      messages: [user(question)],
      ...{ quoth: { scope: { documents: [bread.id] } } },
    });
    const { quoth } = answer as unknown as WithQuoth;
    expect(quoth.citations.every(({ source }) => source === 'bread.txt')).toBe(true);
  });

  it('knows what was said before', async () => {
    await openai.chat.completions.create({
      model: 'quoth-library',
      messages: [
        user(question),
        { role: 'assistant', content: 'The lighthouse of Ploumanac’h is 15 metres tall. [1]' },
        user('And when was it built?'),
      ],
    });
    expect(api.model.prompts.at(-1)?.text).toContain('Ploumanac’h');
  });

  it('leaves no trace in the chats of the window', async () => {
    await openai.chat.completions.create({ model: 'quoth-library', messages: [user(question)] });
    expect(await api.app.handlers.listChats({}, new AbortController().signal)).toEqual({ chats: [] });
  });
});

describe('errors in the form that clients know', () => {
  const caught = (work: Promise<unknown>): Promise<APIError> =>
    work.then(
      () => Promise.reject(new Error('it was answered')),
      (error: unknown) => error as APIError,
    );
  const ask = (part: object) =>
    caught(openai.chat.completions.create({ model: 'scripted', messages: [user('Hello?')], ...part }));

  it('a wrong key', async () => {
    const stranger = new OpenAI({ baseURL: api.address, apiKey: 'quoth-wrong', maxRetries: 0 });
    const error = await caught(stranger.models.list());
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  it('a model that is not in use', async () => {
    const error = await ask({ model: 'gpt-4o' });
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
    expect(error.message).toContain('"scripted"');
  });

  it.each([
    ['a message of no known role', { messages: [{ role: 'robot', content: 'x' }] }, 'invalid_value'],
    ['no message', { messages: [] }, 'invalid_value'],
    ['a temperature of 3', { temperature: 3 }, 'invalid_value'],
    ['two answers', { n: 2 }, 'unsupported_parameter'],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'unsupported_parameter'],
    ['JSON as the form', { response_format: { type: 'json_object' } }, 'unsupported_parameter'],
    ['log-probabilities of checked answers', { model: 'quoth-library', logprobs: true }, 'unsupported_parameter'],
    ['an unknown field of ours', { quoth: { libary: true } }, 'invalid_value'],
  ])('%s', async (_name, part, code) => {
    const error = await ask(part);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, code, type: 'invalid_request_error' });
  });

  it('a conversation that is longer than the context', async () => {
    const error = await ask({ messages: [user('word '.repeat(3000))] });
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded', param: 'messages' });
  });

  it('a model that fails before its first word, and one that fails later', async () => {
    api.model.reply = () => {
      throw new Error('secret path /home/x');
    };
    const error = await ask({});
    expect(error).toMatchObject({ status: 500, type: 'server_error' });
    expect(error.message).not.toContain('secret');
    api.model.failAfter = 2;
    api.model.reply = () => 'one two three four';
    const stream = await openai.chat.completions.create({
      model: 'scripted',
      messages: [user('Count.')],
      stream: true,
    });
    await expect(all(stream)).rejects.toThrow();
    api.model.failAfter = null;
  });

  it('no embedder', async () => {
    const error = await caught(openai.embeddings.create({ model: 'any', input: 'words' }));
    expect(error).toMatchObject({ status: 503, code: 'no_model' });
  });
});
