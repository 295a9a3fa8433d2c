// A parser that dies half way.
process.on('message', () => {
  process.send?.({ type: 'progress', done: 0.5 }, undefined, undefined, () => process.exit(3));
});
