// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { openWindow } from './open-window.tsx';

async function openSection() {
  openWindow();
  fireEvent.click(await screen.findByRole('button', { name: 'Settings' }));
  fireEvent.mouseDown(await screen.findByRole('tab', { name: 'Other programs' }), { button: 0 });
  return screen.findByRole('region', { name: 'Local API' });
}

describe('the local API in the settings', () => {
  it('is off, and shows its key once when it is switched on', async () => {
    const section = await openSection();
    const door = within(section).getByRole('switch', { name: 'Let other programs in' });
    expect(door.getAttribute('aria-checked')).toBe('false');
    expect(within(section).queryByText('Key')).toBeNull();
    fireEvent.click(door);
    expect(await within(section).findByText('quoth-the-first-key')).toBeTruthy();
    expect(within(section).getByText(/shown this once/)).toBeTruthy();
    expect(within(section).getByText('http://127.0.0.1:7868/v1')).toBeTruthy();
    fireEvent.click(door);
    await waitFor(() => expect(door.getAttribute('aria-checked')).toBe('false'));
    fireEvent.click(door);
    expect(await within(section).findByText(/cannot be shown again/)).toBeTruthy();
    expect(within(section).queryByText('quoth-the-first-key')).toBeNull();
  });

  it('makes another key after a yes', async () => {
    const section = await openSection();
    fireEvent.click(within(section).getByRole('switch'));
    fireEvent.click(await within(section).findByRole('button', { name: 'Make a new key' }));
    const dialog = await screen.findByRole('dialog', { name: 'Make a new key?' });
    fireEvent.click(within(dialog).getByRole('button', { name: 'Make a new key' }));
    expect(await within(section).findByText('quoth-another-key')).toBeTruthy();
  });

  it('moves to another port, and not to one that is none', async () => {
    const section = await openSection();
    fireEvent.click(within(section).getByRole('switch'));
    const port = await within(section).findByLabelText<HTMLInputElement>('Port');
    fireEvent.change(port, { target: { value: '80' } });
    fireEvent.blur(port);
    expect(port.value).toBe('7868');
    fireEvent.change(port, { target: { value: '8123' } });
    fireEvent.keyDown(port, { key: 'Enter' });
    expect(await within(section).findByText('http://127.0.0.1:8123/v1')).toBeTruthy();
  });
});
