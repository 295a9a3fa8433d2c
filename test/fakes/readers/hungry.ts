// A parser that eats memory outside of V8's heap, where only the watch on resident memory sees it.
process.on('message', () => {
  const eaten: Buffer[] = [];
  setInterval(() => eaten.push(Buffer.alloc(30e6, 1)), 5);
});
