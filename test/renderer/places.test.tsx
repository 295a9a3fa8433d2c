// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { FakeApp } from '../fakes/app-handlers.ts';
import { openWindow } from './open-window.tsx';

async function open(place: 'Settings', prepare: (app: FakeApp) => void) {
  const opened = openWindow(prepare);
  fireEvent.click(await screen.findByRole('button', { name: place }));
  return opened;
}

describe('the settings', () => {
  it('change at once and are kept by the core', async () => {
    const { app } = await open('Settings', () => undefined);
    fireEvent.click(await screen.findByRole('radio', { name: 'Dark' }));
    await waitFor(() => expect(app.settings().theme).toBe('dark'));
    expect(document.documentElement.dataset.theme).toBe('dark');
    fireEvent.click(screen.getByRole('radio', { name: 'System' }));
    await waitFor(() => expect(document.documentElement.dataset.theme).toBe(undefined));
    const user = userEvent.setup();
    await user.click(screen.getByRole('tab', { name: 'Answers' }));
    await user.selectOptions(screen.getByRole('combobox', { name: 'Longest answer' }), '1,024 tokens');
    await waitFor(() => expect(app.settings().answerTokens).toBe(1024));
    screen.getByRole('slider', { name: 'Freedom of words' }).focus();
    await user.keyboard('{ArrowRight}');
    await waitFor(() => expect(app.settings().temperature).toBe(0.1));
    await user.click(screen.getByRole('tab', { name: 'Library' }));
    const field = screen.getByRole('textbox', { name: 'Languages of captions' });
    await user.clear(field);
    await user.type(field, 'ja, de nonsense! ja{Enter}');
    await waitFor(() => expect(app.settings().captionLanguages).toEqual(['ja', 'de']));
  });

  it('turn the whole window into another language and size, which the next start begins with', async () => {
    const { app } = await open('Settings', () => undefined);
    const user = userEvent.setup();
    await user.selectOptions(await screen.findByRole('combobox', { name: 'Language' }), '日本語');
    await screen.findByRole('heading', { name: '設定' });
    expect(screen.getByRole('button', { name: '新しいチャット' })).toBeTruthy();
    expect(document.documentElement.lang).toBe('ja');
    expect(app.settings().language).toBe('ja');
    await user.selectOptions(screen.getByRole('combobox', { name: '文字の大きさ' }), '200 %');
    await waitFor(() => expect(document.documentElement.style.fontSize).toBe('200%'));
    expect([localStorage.getItem('quoth.language'), localStorage.getItem('quoth.textSize')]).toEqual(['ja', '200']);
    await user.selectOptions(screen.getByRole('combobox', { name: '言語' }), 'English');
    await screen.findByRole('heading', { name: 'Settings' });
  });

  it('tell what this computer has, with the reasons', async () => {
    await open('Settings', () => undefined);
    fireEvent.mouseDown(await screen.findByRole('tab', { name: 'This computer' }), { button: 0 });
    await screen.findByText('No CUDA device was found.');
    expect(screen.getByText('24.0 GB')).toBeTruthy();
  });
});

describe('a lost connection', () => {
  it('is told with a way back', async () => {
    const { endConnection } = openWindow();
    await screen.findByText('Ask your own documents.');
    endConnection();
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The connection to Quoth ended.');
    expect(within(alert).getByRole('button', { name: 'Reload' })).toBeTruthy();
  });
});
