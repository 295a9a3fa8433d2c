// A parser taken over by its document: it sends what no reader sends, then a result.
process.on('message', () => {
  for (const message of [
    null,
    7,
    'x',
    { type: 'result' },
    { type: 'result', result: { type: 'read' } },
    { type: 'progress' },
  ])
    process.send?.(message);
  const read = { type: 'read', kind: 'pdf', title: 't', numPages: 1 };
  const page = { type: 'page', page: 1 };
  const results = [
    { ...read, sections: [{ text: 5, locator: page, heading: null }] },
    { ...read, sections: [{ text: 't', locator: { type: 'page', page: -1 }, heading: null }] },
    { ...read, sections: [{ text: 't', locator: page, heading: {} }] },
    { ...read, sections: [], scannedPages: [{ page: 1, words: [{ text: 't', box: [0, 0, Number.NaN, 1] }] }] },
    { ...read, title: null, sections: [] },
    { ...read, numPages: 'many', sections: [] },
    { ...read, kind: 'constructor', sections: [] },
    { type: 'failed', kind: 'pdf', reason: '__proto__', detail: '' },
  ];
  for (const result of results) process.send?.({ type: 'result', result });
  process.send?.({ type: 'progress', done: Number.NaN });
  process.send?.({ type: 'progress', done: 55 });
  process.send?.({ type: 'result', result: { type: 'failed', kind: 'pdf', reason: 'no-text', detail: 'true' } });
});
