import { Menu, type MenuItemConstructorOptions } from 'electron';

/** The menu: what every program has. Everything of Quoth itself is on the page. */
export function setMenu(updates: MenuItemConstructorOptions[] = []): void {
  const mac: MenuItemConstructorOptions[] = process.platform === 'darwin' ? [{ role: 'appMenu' }] : [];
  const template: MenuItemConstructorOptions[] = [
    ...mac,
    { label: '&File', submenu: [process.platform === 'darwin' ? { role: 'close' } : { role: 'quit' }] },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        { role: 'reload' },
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
    ...(updates.length > 0 ? [{ label: '&Help', submenu: updates }] : []),
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
