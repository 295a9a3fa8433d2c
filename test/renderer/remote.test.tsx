// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ModelId, RemoteModel, RemoteOffer } from '../../app/contract/types.ts';
import {
  type FakeApp,
  makeAnswer,
  makeCitation,
  makeDocument,
  makeModel,
  makePassage,
  Tape,
} from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

const elsewhere = { host: 'gpu.example:8000', isLoopback: false, isPrivate: false };
const here = { host: '127.0.0.1:8000', isLoopback: true, isPrivate: true };
const offerOf = (where: typeof here, models: RemoteOffer['models']): RemoteOffer => ({
  ...where,
  address: `http://${where.host}/v1`,
  models,
});
const modelOf = (where: typeof here, part: Partial<RemoteModel> = {}): RemoteModel => ({
  ...where,
  id: 'remote-1' as ModelId,
  name: 'Llama 70B',
  address: `http://${where.host}/v1`,
  hasKey: true,
  contextTokens: 32_768,
  inUse: true,
  ...part,
});

async function openModels(prepare: (app: FakeApp) => void) {
  const opened = openWindow((app) => {
    app.models.push(makeModel('Mistral 7B', { state: 'installed', inUse: true }));
    prepare(app);
  });
  fireEvent.click(await screen.findByRole('button', { name: 'Models' }));
  return { ...opened, section: await screen.findByRole('region', { name: 'On another computer' }) };
}

async function openDialog(address: string) {
  fireEvent.click(screen.getByRole('button', { name: 'Add a server' }));
  const dialog = await screen.findByRole('dialog', { name: 'Add a server' });
  fireEvent.change(within(dialog).getByLabelText('Address'), { target: { value: address } });
  return dialog;
}

describe('adding a server', () => {
  it('finds its models, tries one, and puts it to use in the place of the local one', async () => {
    const { app, section } = await openModels(({ script }) =>
      script.remoteOffers.set('127.0.0.1:8000', offerOf(here, [{ name: 'Llama 70B', contextTokens: 32_768 }])),
    );
    const dialog = await openDialog('127.0.0.1:8000');
    fireEvent.click(within(dialog).getByRole('button', { name: 'Find its models' }));
    expect(await within(dialog).findByText('The server says 32,768.')).toBeTruthy();
    expect(within(dialog).getByText('It runs on this computer: nothing leaves it.')).toBeTruthy();
    fireEvent.click(within(dialog).getByRole('button', { name: 'Try it' }));
    expect(await within(dialog).findByText('It says “Hello.”, 120 ms to the first word.')).toBeTruthy();
    fireEvent.click(within(dialog).getByRole('button', { name: 'Add and use' }));
    expect(await within(section).findByText('In use')).toBeTruthy();
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(app.remoteModels).toMatchObject([{ name: 'Llama 70B', contextTokens: 32_768, hasKey: false }]);
    await waitFor(() => expect(screen.getByRole('button', { name: 'Use Mistral 7B' })).toBeTruthy());
    fireEvent.click(screen.getByRole('button', { name: 'Use Mistral 7B' }));
    expect(await within(section).findByRole('button', { name: 'Use Llama 70B' })).toBeTruthy();
  });

  it('says what is wrong, and lets it be mended', async () => {
    await openModels(() => undefined);
    const dialog = await openDialog('nobody:1');
    fireEvent.click(within(dialog).getByRole('button', { name: 'Find its models' }));
    expect(await within(dialog).findByText('nobody:1 refuses the connection. Start the server there.')).toBeTruthy();
    expect(within(dialog).queryByLabelText('Model')).toBeNull();
  });

  it('takes the name by hand where the server lists none', async () => {
    const { app } = await openModels(({ script }) => script.remoteOffers.set('127.0.0.1:8000', offerOf(here, [])));
    const dialog = await openDialog('127.0.0.1:8000');
    fireEvent.click(within(dialog).getByRole('button', { name: 'Find its models' }));
    fireEvent.change(await within(dialog).findByLabelText('Model'), { target: { value: 'typed' } });
    fireEvent.change(within(dialog).getByLabelText('Context, in tokens'), { target: { value: '500' } });
    expect(within(dialog).getByRole<HTMLButtonElement>('button', { name: 'Add and use' }).disabled).toBe(true);
    fireEvent.change(within(dialog).getByLabelText('Context, in tokens'), { target: { value: '16,384' } });
    fireEvent.click(within(dialog).getByRole('button', { name: 'Add and use' }));
    await waitFor(() => expect(app.remoteModels).toMatchObject([{ name: 'typed', contextTokens: 16_384 }]));
  });

  it('warns of another computer and of a way that is open, and says how the key is kept', async () => {
    await openModels(({ script }) => script.remoteOffers.set('gpu.example:8000', offerOf(elsewhere, [])));
    const dialog = await openDialog('gpu.example:8000');
    fireEvent.change(within(dialog).getByLabelText('Key, if the server wants one'), { target: { value: 'sk-1' } });
    expect(within(dialog).getByText(/kept unencrypted in a file/)).toBeTruthy();
    fireEvent.click(within(dialog).getByRole('button', { name: 'Find its models' }));
    expect(
      await within(dialog).findByText('Your questions and the passages found are sent to gpu.example:8000.'),
    ).toBeTruthy();
    expect(within(dialog).getByText(/not encrypted/)).toBeTruthy();
  });

  it('is forgotten after a yes', async () => {
    const { app, section } = await openModels((app) => app.remoteModels.push(modelOf(elsewhere)));
    fireEvent.click(await within(section).findByRole('button', { name: 'Remove Llama 70B' }));
    fireEvent.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }));
    await waitFor(() => expect(app.remoteModels).toEqual([]));
  });
});

describe('the mark where text leaves this computer', () => {
  const document = makeDocument(1);
  const passage = makePassage(1, document, 'The tower is 330 metres tall.');

  async function askWith(model: RemoteModel | null, part: object) {
    const tape = new Tape<never>();
    const opened = openWindow((app) => {
      app.setDocument(document);
      if (model) app.remoteModels.push(model);
      app.script.answers.push(tape);
    });
    const field = await screen.findByRole('textbox', { name: 'Your question' });
    fireEvent.change(field, { target: { value: 'How tall is it?' } });
    const hint = async (text: string | RegExp) => expect(await screen.findByText(text)).toBeTruthy();
    fireEvent.keyDown(field, { key: 'Enter' });
    const answer = makeAnswer('The tower is 330 metres tall. [1]', [makeCitation(1, passage, passage.text)], part);
    tape.push({ type: 'sources', passages: [passage], retrieveMs: 1 } as never);
    tape.push({ type: 'text', text: answer.text } as never, { type: 'answer', answer } as never);
    tape.end();
    return { ...opened, hint };
  }
  const sentTo = { model: 'Llama 70B', host: elsewhere.host, isLoopback: false, numPassages: 3 };

  it('is under the composer before, and under the answer after', async () => {
    const { hint } = await askWith(modelOf(elsewhere), { sentTo });
    await hint('Llama 70B on gpu.example:8000 writes the answer: your question and the passages found are sent there.');
    await hint('Written by Llama 70B on gpu.example:8000: your question and 3 passages were sent there.');
    expect(screen.queryByText(/stay on this computer/)).toBeNull();
  });

  it('is there as well when the quotes had to answer', async () => {
    const { hint } = await askWith(modelOf(elsewhere), { sentTo, writtenBy: 'quotes' });
    await hint('Your question and 3 passages were sent to Llama 70B on gpu.example:8000.');
  });

  it('only names a server of this computer', async () => {
    const { hint } = await askWith(modelOf(here), { sentTo: { ...sentTo, host: here.host, isLoopback: true } });
    await hint('Llama 70B at 127.0.0.1:8000 writes the answer, on this computer.');
    await hint('Written by Llama 70B at 127.0.0.1:8000, on this computer.');
  });

  it('is not there for a model of this computer', async () => {
    const { hint } = await askWith(null, {});
    await hint('Answers are made from your documents and stay on this computer.');
    await screen.findByText(/First word after/);
    expect(screen.queryByText(/Written by/)).toBeNull();
  });

  it('names the server when its stream was cut', async () => {
    const { hint } = await askWith(modelOf(elsewhere), { sentTo, end: 'cut' });
    await hint('The connection to gpu.example:8000 broke off. What was written is kept.');
  });
});
