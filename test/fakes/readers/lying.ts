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
  process.send?.({ type: 'progress', done: 55 });
  process.send?.({ type: 'result', result: { type: 'failed', kind: 'pdf', reason: 'no-text', detail: 'true' } });
});
